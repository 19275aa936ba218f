import { createHash, randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals'
import type { Host, HostJob, JobEnd, RunningJob } from '../src/index.ts'

/** A machine to try a transport on. */
export interface Trial {
  readonly host: Host
  /** Another host object for the same machine, as another process would make it. */
  again(): Host
  /** A folder on the machine that the suite may fill; absolute. */
  readonly folder: string
  stop(): Promise<void>
}

/** What the suite has to know of a transport. */
export interface Traits {
  /** How long one test may take, in milliseconds. */
  readonly testMs: number
  /** A time that is long enough for a job to be seen running over this transport, in seconds. */
  readonly whileSeconds: number
  /** The biggest file that it carries, in bytes; absent when that is too big to try. */
  readonly fileBytes?: number
  /** How much output and how big a file must come through whole, in bytes. */
  readonly muchBytes: number
}

const sha256 = (content: Uint8Array): string => createHash('sha256').update(content).digest('hex')
const minute = 60_000

/** The conformance suite of hosts: every transport passes it as it is. */
export function describeHost(name: string, makeTrial: () => Promise<Trial>, traits: Traits): void {
  describe(`a host over ${name}`, () => {
    jest.setTimeout(traits.testMs)
    let trial: Trial | undefined
    const at = (): Trial => {
      if (trial === undefined) throw new Error('the trial was not set up')
      return trial
    }
    const shell = (script: string, rest: Partial<HostJob> = {}): HostJob => ({
      name: 'trial',
      command: ['/bin/sh', '-c', script],
      timeoutMs: minute,
      ...rest,
    })
    const follow = async (job: RunningJob): Promise<{ end: JobEnd; text: string; pieces: string[] }> => {
      const pieces: string[] = []
      const end = await job.follow(piece => pieces.push(piece))
      return { end, text: pieces.join(''), pieces }
    }
    const ran = async (job: HostJob): Promise<{ end: JobEnd; text: string; pieces: string[] }> =>
      follow(await at().host.start(job))
    /** How many processes of the machine have this word in their command line. */
    const running = async (word: string): Promise<number> => {
      // The brackets keep the search from finding itself.
      const pattern = `[${word.charAt(0)}]${word.slice(1)}`
      const script = `cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' '\\n' | grep -c '^${pattern}$'\ntrue`
      return Number((await at().host.run(script)).output)
    }
    const seconds = (): string => `${3000 + Math.floor(Math.random() * 5000)}.${Date.now() % 1000}1`
    const until = async (holds: () => Promise<boolean>): Promise<void> => {
      const deadline = Date.now() + traits.testMs / 2
      while (!(await holds())) {
        if (Date.now() > deadline) throw new Error('it did not become so in time')
        await new Promise(resolve => setTimeout(resolve, 50))
      }
    }

    beforeAll(async () => {
      trial = await makeTrial()
    })
    afterAll(async () => {
      await trial?.stop()
    })

    describe('run', () => {
      test('gives the exit code and both outputs in order', async () => {
        const result = await at().host.run('echo one; echo two >&2; echo three; exit 7')
        expect(result).toEqual({ exitCode: 7, output: 'one\ntwo\nthree\n' })
      })

      test('keeps the first part of much output', async () => {
        const { exitCode, output } = await at().host.run(
          'echo first; head -c 20000000 /dev/zero | tr "\\0" x; echo last',
        )
        expect(exitCode).toBe(0)
        expect(output.startsWith('first\nxxx')).toBe(true)
        expect(output.length).toBeLessThan(8_000_000)
      })

      test.each([
        ['exit 255', 255],
        ['kill -KILL $$', 137],
        ['if', 2],
        ['', 0],
      ])('tells how the script %j itself ended', async (script, exitCode) => {
        // bash says 1 or 2 for a script that it cannot read.
        const found = (await at().host.run(script)).exitCode
        expect(script === 'if' ? found > 0 && found < 126 : found === exitCode).toBe(true)
      })

      test('gives a script nothing to read', async () => {
        expect(await at().host.run('cat; echo end')).toEqual({ exitCode: 0, output: 'end\n' })
      })

      test('carries a script with odd characters and what looks like a parameter', async () => {
        const { output } = await at().host.run(`printf '%s' 'ä😀 {{ssm:nothing}} {{ commands }} $HOME \`id\`'`)
        expect(output).toBe('ä😀 {{ssm:nothing}} {{ commands }} $HOME `id`')
      })

      test('says when a script ran past its time', async () => {
        await expect(at().host.run('sleep 600', { timeoutMs: 1000 })).rejects.toThrow(/longer than 1s/)
      })

      test('stops waiting when the signal says so', async () => {
        const reason = new Error('not needed any more')
        const controller = new AbortController()
        const waiting = at().host.run('sleep 600', { signal: controller.signal })
        controller.abort(reason)
        await expect(waiting).rejects.toBe(reason)
      })

      test('ends the script with what it started when the signal says so', async () => {
        const [child, grandchild] = [seconds(), seconds()]
        const reason = new Error('not needed any more')
        const controller = new AbortController()
        const script = `sleep ${grandchild} & sleep ${child}; sleep ${child}`
        const waiting = at().host.run(script, { signal: controller.signal })
        waiting.catch(() => undefined)
        await until(async () => (await running(child)) === 1 && (await running(grandchild)) === 1)
        controller.abort(reason)
        await expect(waiting).rejects.toBe(reason)
        await until(async () => (await running(child)) === 0 && (await running(grandchild)) === 0)
      })
    })

    describe('jobs', () => {
      test('give their exit code and output', async () => {
        const { end, text } = await ran(shell('echo out; echo err >&2; exit 3'))
        expect(end).toEqual({ how: 'exited', exitCode: 3 })
        expect(text).toBe('out\nerr\n')
      })

      test('say 127 for a program that is not there', async () => {
        const { end, text } = await ran({ name: 'trial', command: ['/no/such/program'], timeoutMs: minute })
        expect(end).toEqual({ how: 'exited', exitCode: 127 })
        expect(text).toMatch(/not found/)
      })

      test('say how a signal ended them', async () => {
        expect((await ran(shell('kill -KILL $$'))).end).toEqual({ how: 'exited', exitCode: 137 })
      })

      test('get arguments, variables and folders as they are', async () => {
        const odd = ` a'b"c\n$(id) \`id\` \\ {{ssm:x}} *\t😀 end\n`
        const folder = `${at().folder}/it's a "folder"\nof two lines`
        await at().host.upload(`${folder}/here`, Buffer.from('x'))
        const { text } = await ran(
          shell('printf "%s|%s|" "$1" "$ODD"; pwd; ls', {
            command: ['/bin/sh', '-c', 'printf "%s|%s|%s|" "$1" "$ODD" "$PWD"; ls', 'sh', odd],
            environment: { ODD: odd },
            workingDirectory: folder,
          }),
        )
        expect(text).toBe(`${odd}|${odd}|${folder}|here\n`)
      })

      test('bring hostile output home as it is', async () => {
        const bytes = Buffer.concat([
          Buffer.from('\u001b[31mred\u001b[0m\r\n::set-output name=a::b\n::add-mask::x\nNUL \0 and bell \u0007 '),
          Buffer.from([0xf0, 0x9f, 0x98]),
          Buffer.from(' torn, then whole 😀; ::stop-commands::x\nno newline at the end'),
        ])
        await at().host.upload(`${at().folder}/hostile`, bytes)
        const { text } = await ran(shell(`cat ${at().folder}/hostile`))
        expect(text).toBe(new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes))
      })

      test('join characters that were cut between two looks', async () => {
        const { text } = await ran(
          shell(String.raw`printf 'ä'; printf '\360\237'; sleep ${traits.whileSeconds}; printf '\230\200!'`),
        )
        expect(text).toBe('ä😀!')
      })

      test('bring much output home whole', async () => {
        const path = `${at().folder}/much`
        // Random, so that it can hardly be compressed; text, so that it comes as it is.
        await at().host.run(`head -c ${Math.floor(traits.muchBytes * 0.7)} /dev/urandom | base64 >${path}`, {
          timeoutMs: traits.testMs,
        })
        const { output } = await at().host.run(`{ sha256sum || shasum -a 256; } 2>/dev/null <${path}; wc -c <${path}`)
        const hash = createHash('sha256')
        let length = 0
        const job = await at().host.start(shell(`cat ${path}`))
        const end = await job.follow(piece => {
          hash.update(piece)
          length += piece.length
        })
        expect(end).toEqual({ how: 'exited', exitCode: 0 })
        expect(`${hash.digest('hex')} ${length}`).toBe(output.trim().replace(/\s+-?\s*/, ' '))
      })

      test('are cancelled in the midst of much output', async () => {
        const child = seconds()
        const job = await at().host.start(shell(`yes 0123456789 | head -c 3000000; sleep ${child}`))
        let length = 0
        const ended = job.follow(piece => void (length += piece.length))
        await until(async () => (await running(child)) === 1)
        await job.cancel()
        expect(await running(child)).toBe(0)
        expect(await ended).toEqual({ how: 'cancelled' })
        // What it printed before is not lost.
        expect(length).toBe(3_000_000)
      })

      test('show their output while they run', async () => {
        const job = await at().host.start(shell('echo working; sleep 600'))
        const controller = new AbortController()
        const reason = new Error('seen enough')
        const following = job.follow(text => text.includes('working') && controller.abort(reason), {
          signal: controller.signal,
        })
        await expect(following).rejects.toBe(reason)
        await job.cancel()
      })

      test('survive the caller: another one follows them by id', async () => {
        const { id } = await at().host.start(shell(`echo begun; sleep ${traits.whileSeconds}; echo done; exit 5`))
        const { end, text } = await follow(at().again().job(id))
        expect({ end, text }).toEqual({ end: { how: 'exited', exitCode: 5 }, text: 'begun\ndone\n' })
      })

      test('are ended at their time limit with everything they started', async () => {
        const [child, grandchild] = [seconds(), seconds()]
        const { end, text } = await ran(
          shell(`echo on; setsid sleep ${grandchild} & trap '' TERM; sleep ${child}; sleep ${child}`, {
            timeoutMs: 1500,
          }),
        )
        expect(end).toEqual({ how: 'timed-out' })
        expect(text).toMatch(/^on\n/)
        expect([await running(child), await running(grandchild)]).toEqual([0, 0])
      })

      test('are cancelled with everything they started', async () => {
        const [child, grandchild] = [seconds(), seconds()]
        const job = await at().host.start(shell(`setsid sleep ${grandchild} & sleep ${child}`))
        await until(async () => (await running(child)) === 1 && (await running(grandchild)) === 1)
        const ended = follow(job)
        await job.cancel()
        expect([await running(child), await running(grandchild)]).toEqual([0, 0])
        expect((await ended).end).toEqual({ how: 'cancelled' })
        await job.cancel()
      })

      test('leave nothing running when they end by themselves', async () => {
        const left = seconds()
        expect((await ran(shell(`setsid sleep ${left} & exit 0`))).end).toEqual({ how: 'exited', exitCode: 0 })
        expect(await running(left)).toBe(0)
      })

      test('do not begin once they were cancelled', async () => {
        const job = at().host.job(`never-${randomBytes(6).toString('hex')}`)
        await job.cancel()
        expect((await follow(job)).end).toEqual({ how: 'cancelled' })
      })

      test('that nobody knows are lost, with the reason', async () => {
        expect((await follow(at().host.job('unknown-0123456789ab'))).end).toMatchObject({
          how: 'lost',
          reason: expect.stringMatching(/no such job/),
        })
      })

      test('that lost their supervisor are lost, and can still be ended', async () => {
        const child = seconds()
        const job = await at().host.start(shell(`sleep ${child}`))
        await until(async () => (await running(child)) === 1)
        const kill = `for p in /proc/[0-9]*; do
          tr '\\0' ' ' <$p/cmdline | grep -q '[s]upervise run .*${job.id}' && kill -KILL "\${p#/proc/}"
        done 2>/dev/null; true`
        await at().host.run(kill)
        expect((await follow(job)).end).toMatchObject({ how: 'lost', reason: expect.stringMatching(/supervisor/) })
        await job.cancel()
        expect(await running(child)).toBe(0)
      })

      test('run side by side', async () => {
        const ends = await Promise.all(
          Array.from({ length: 6 }, async (_, index) => ran(shell(`echo job ${index}; exit ${index}`))),
        )
        expect(ends.map(({ end, text }) => ({ end, text }))).toEqual(
          ends.map((_, index) => ({ end: { how: 'exited', exitCode: index }, text: `job ${index}\n` })),
        )
      })
    })

    describe('files', () => {
      /** What arrives when the file is sent up and fetched again, as a digest. */
      const roundTrip = async (path: string, content: Uint8Array): Promise<string> => {
        await at().host.upload(path, content)
        return sha256(await at().host.download(path))
      }

      test('go up and down unchanged: empty, binary, text', async () => {
        const files: [string, Uint8Array][] = [
          ['empty', new Uint8Array()],
          ['bytes', Uint8Array.from({ length: 1024 }, (_, index) => index % 256)],
          [`new/folder/text "with" a 'name'\n`, Buffer.from('ä\n\0'.repeat(2000))],
        ]
        for (const [name, content] of files)
          expect(await roundTrip(`${at().folder}/${name}`, content)).toBe(sha256(content))
      })

      test('of several scripts go up and down unchanged', async () => {
        const content = randomBytes(150_000)
        expect(await roundTrip(`${at().folder}/random`, content)).toBe(sha256(content))
      })

      test('of many bytes go up and down unchanged', async () => {
        const content = randomBytes(traits.muchBytes)
        expect(await roundTrip(`${at().folder}/bytes`, content)).toBe(sha256(content))
      })

      test('get their mode, and replace what was there', async () => {
        const path = `${at().folder}/program`
        await at().host.upload(path, Buffer.from('old and longer'), { mode: 0o600 })
        await at().host.upload(path, Buffer.from('#!/bin/sh\necho runs\n'), { mode: 0o755 })
        expect((await at().host.run(path)).output).toBe('runs\n')
      })

      test('that are not there are named', async () => {
        await expect(at().host.download(`${at().folder}/nothing`)).rejects.toThrow(/nothing .* no such file/)
      })

      const { fileBytes } = traits
      if (fileBytes !== undefined)
        test('that are too big are refused', async () => {
          const { host, folder } = at()
          await expect(host.upload(`${folder}/big`, new Uint8Array(fileBytes + 1))).rejects.toThrow(/at most/)
          await host.run(`head -c ${fileBytes + 1} /dev/zero >${folder}/big`)
          await expect(host.download(`${folder}/big`)).rejects.toThrow(/at most/)
        })

      test('leave nothing half-sent behind', async () => {
        const { output } = await at().host.run(`find ${at().folder} -name 'random.*' -o -name 'bytes.*'`)
        expect(output).toBe('')
      })
    })
  })
}
