/**
 * One word of a POSIX sh script that stands for exactly this text, newlines and quotes included.
 * `{{` is written as two words next to each other, because the Systems Manager replaces `{{ssm:name}}` in scripts.
 * @throws RangeError when the text holds NUL, which no argument can carry
 */
export function quote(text: string): string {
  if (text.includes('\0')) throw new RangeError('an argument cannot hold NUL')
  if (/^[A-Za-z0-9_./:=@%+,-]+$/.test(text)) return text
  return `'${text.replaceAll("'", "'\\''").replace(/\{(?=\{)/g, "{''")}'`
}

const variableName = /^[A-Za-z_][A-Za-z0-9_]*$/

/**
 * A script that becomes the given program: variables set, working directory entered, arguments passed as they are.
 * @throws RangeError for an empty command, NUL, or a variable that sh cannot name
 */
export function execScript(job: {
  readonly command: readonly string[]
  readonly environment?: Readonly<Record<string, string>>
  readonly workingDirectory?: string
}): string {
  const [program = '', ...rest] = job.command
  if (program === '') throw new RangeError('a job needs a command')
  const exports = Object.entries(job.environment ?? {}).map(([name, value]) => {
    if (!variableName.test(name)) throw new RangeError(`not a name of an environment variable: ${name}`)
    return `export ${name}=${quote(value)}`
  })
  const enter = job.workingDirectory === undefined ? [] : [`cd ${quote(job.workingDirectory)} || exit 127`]
  return [...exports, ...enter, `exec ${[program, ...rest].map(quote).join(' ')}`, ''].join('\n')
}
