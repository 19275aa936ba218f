const {
  INPUT_NAME: name,
  INPUT_STATUS: status,
  STATE_from_pre,
  'STATE_from-pre': pre,
  'STATE_from-main': main,
} = process.env
console.log(`trace: post ${name} ${status} pre=${pre ?? STATE_from_pre} main=${main}`)
