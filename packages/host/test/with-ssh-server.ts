import { describe } from '@jest/globals'
import { sshd } from './ssh-server.ts'

/** Suites that need a real ssh server: skipped where there is none; in CI there must be one. */
export const withSshServer = sshd === undefined && process.env['CI'] !== 'true' ? describe.skip : describe
/** For the name of such a suite: why it is skipped, when it is. */
export const needsSshServer = 'a real sshd (Debian, Ubuntu: apt-get install openssh-server)'
