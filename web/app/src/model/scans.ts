// One scan after the other: a burst keeps its order and loses nothing, however long the database takes.

import { performanceMeasure } from './measure'

type Work = () => Promise<boolean>

export class ScanLine {
  private last: Promise<void> = Promise.resolve()

  constructor(private readonly failed: (error: Error) => void) {}

  /** `startedAt`: time of the key that ended the code. The work says whether something was counted. */
  add(startedAt: number, work: Work): Promise<void> {
    this.last = this.last.then(async () => {
      try {
        if (await work()) performanceMeasure(startedAt)
      } catch (error) {
        this.failed(error as Error)
      }
    })
    return this.last
  }

  /** Resolves when everything that is in line by now is done. */
  done(): Promise<void> {
    return this.last
  }
}
