/**
 * Why a launch call failed, whatever the provider (reference: one class for every code a provider can answer).
 *
 * - `capacity`, `price`, `zone`, `subnet`: this offer cannot be had, the next one may
 * - `quota`: no offer of this market in this region can be had until a limit is raised
 * - `throttled`: too many calls; the same offer again, later, with the same token
 * - `server`: nobody knows whether the call was carried out
 * - `token`: the token was used before: look it up, never invent another one first
 * - `credentials`, `denied`, `account`, `invalid`: no offer at all will help
 */
export const launchFaults = [
  'capacity',
  'price',
  'zone',
  'subnet',
  'quota',
  'throttled',
  'account',
  'denied',
  'credentials',
  'invalid',
  'token',
  'server',
] as const

export type LaunchFault = (typeof launchFaults)[number]
