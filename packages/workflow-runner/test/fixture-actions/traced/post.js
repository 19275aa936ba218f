const { INPUT_NAME, INPUT_STATUS, 'STATE_from-pre': pre, 'STATE_from-main': main } = process.env
console.log(`trace: post ${INPUT_NAME} ${INPUT_STATUS} pre=${pre} main=${main}`)
