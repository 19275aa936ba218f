/**
 * The numbers of the verdict rule, each with where it comes from. docs/verdicts.md shows what the rule is worth.
 */
export const rule = {
  /** A run is suspicious beyond this many scales … (protocol 8.3; Iglewicz and Hoaglin's bound for outliers) */
  z: 3.5,
  /** … and beyond this share of the level: significance and effect together (protocol 8.3). */
  effect: 0.02,
  /** A second host clears the code only within half of those scales: noise may hide half of a loss there. */
  cleared: 1.75,
  /** Hosts are not believed to agree better than this, as a share of the level (protocol 8.3). */
  scaleFloor: 0.005,
  /** Fewer hosts give no verdict (protocol 8.3). */
  fewestHosts: 10,
  /** With fewer, false alarms after confirmation reach 0.3 %, else 0.1 %: the verdict is provisional (protocol 15). */
  enoughHosts: 20,
  /** The newest hosts that count (Apache Otava's window). */
  window: 50,
  /** The newest hosts that tell whether a change is new. */
  recent: 5,
  /** A change is new when at least this share of it lies between the recent hosts and the run. */
  newShare: 0.6,
  /** Hosts within this many scales are of one kind: 84 % of pairs of one kind are. */
  near: 2,
  /** Drawing slow hosts by chance must be at most this likely before a loss is believed. */
  chance: 0.01,
  /** Runs that are spent on one suspicion, the first one included. */
  mostRuns: 3,
  /** 97.5 % of a normal distribution lie above −1.96: two hosts then both see a loss in 95 % of cases. */
  seenByBoth: 1.96,
  /** A pass means that a loss of this share would have been seen, unless the caller asks for another. */
  lossToFind: 0.05,
} as const
