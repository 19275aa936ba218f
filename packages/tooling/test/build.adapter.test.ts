import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { licensesOf } from '../src/bundling/licenses.ts'
import { packPrograms } from '../src/bundling/programs.ts'
import { root } from '../src/repository.ts'

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gpu-actions-build-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

describe('packPrograms', () => {
  const lay = (): void => {
    mkdirSync(join(folder, 'inner'))
    writeFileSync(join(folder, '__main__.py'), 'import sys, inner.part\nprint(inner.part.words, sys.argv[1])\n')
    writeFileSync(join(folder, 'inner/__init__.py'), '')
    writeFileSync(join(folder, 'inner/part.py'), "words = 'packed ü'\n")
  }

  test('makes one file that Python runs with its arguments', () => {
    lay()
    const pyz = join(folder, 'programs.pyz')
    writeFileSync(pyz, packPrograms(folder))
    const python = process.env['GPU_ACTIONS_PYTHON'] ?? 'python3'
    const { stdout, stderr } = spawnSync(python, [pyz, 'argument'], {
      encoding: 'utf8',
      env: { ...process.env, PYTHONUTF8: '1' },
    })
    expect({ stdout, stderr }).toEqual({ stdout: 'packed ü argument\n', stderr: '' })
  })

  test('gives the same bytes whenever the sources were written, and whatever else lies beside them', () => {
    lay()
    const first = packPrograms(folder)
    utimesSync(join(folder, 'inner/part.py'), 1, 1)
    writeFileSync(join(folder, 'inner/notes.txt'), 'not a program')
    expect(Buffer.compare(packPrograms(folder), first)).toBe(0)
  })

  test('refuses a folder that Python could not run', () => {
    expect(() => packPrograms(folder)).toThrow('no __main__.py')
  })
})

describe('licensesOf', () => {
  const yaml = join(root, 'node_modules/yaml/dist/index.js')

  test('names a package once, with its version and the text of its licence', () => {
    const text = licensesOf([
      yaml,
      join(root, 'node_modules/yaml/dist/public-api.js'),
      '\0registry',
      join(root, 'actions/x/src/main.ts'),
    ])
    expect(text).toMatch(/^yaml@\d+\.\d+\.\d+\nISC\n\nCopyright Eemeli Aro/)
    expect(text.match(/yaml@/g)).toHaveLength(1)
  })

  test('gives packages with the same words one text', () => {
    const [one = '', two = ''] = ['@aws-sdk/client-ec2', '@aws-sdk/client-ssm'].map(name =>
      join(root, 'node_modules', name, 'dist-es/index.js'),
    )
    expect(licensesOf([one, two]).match(/Apache License/g)).toEqual(licensesOf([one]).match(/Apache License/g))
  })
})
