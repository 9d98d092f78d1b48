/**
 * Whether only this machine can reach a host that is listened on, or is named in a request. No other name than
 * `localhost` is: who answers for it is not ours to say.
 */
export const isLoopback = (host: string): boolean => {
  const name = host.replace(/^\[(.*)\]$/, '$1').toLowerCase()
  return name === 'localhost' || name === '::1' || /^(::ffff:)?127(\.\d{1,3}){3}$/.test(name)
}
