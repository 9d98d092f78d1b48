import { open } from 'node:fs/promises'

/**
 * The text of a file that holds a secret. Rejects when everybody on this machine may read it, with the command that mends that:
 * then it is no secret, and whoever wrote it should know.
 */
export const readSecret = async (path: string): Promise<string> => {
  const file = await open(path).catch(inWords)
  try {
    const stats = await file.stat()
    if (stats.isDirectory()) throw new Error('it is a folder: name the file in it')
    const { mode } = stats
    const text = await file.readFile('utf8')
    if ((mode & 0o007) !== 0 && isSecret(text))
      throw new Error(`everybody on this machine may read it; chmod 600 ${path} mends that`)
    return text
  } finally {
    await file.close()
  }
}

const words: { readonly [code: string]: string } = {
  ENOENT: 'there is no such file',
  EACCES: 'the user that l2sm runs as may not read it',
  ENOTDIR: 'a part of its path is no folder',
}

const inWords = (error: NodeJS.ErrnoException): never => {
  throw new Error(words[error.code ?? ''] ?? error.message)
}

/** Certificates are for everybody to see. */
const isSecret = (text: string): boolean =>
  !/^\s*-----BEGIN (X509 )?CERTIFICATE-----/.test(text) || text.includes('PRIVATE KEY')
