/** Puts the records of several host CPUs into one order. */
import type { Decoded } from './dat-pages.ts';

/** One CPU's records, of which some are at hand. */
interface Queue {
  readonly rest: Iterator<readonly Decoded[]>;
  records: readonly Decoded[];
  at: number;
}

/** True if there is a record at hand. */
function refill(queue: Queue): boolean {
  if (queue.at < queue.records.length) return true;
  const next = queue.rest.next();
  queue.records = next.done === true ? [] : next.value;
  queue.at = 0;
  return queue.records.length > 0;
}

function isBefore(a: Decoded, b: Decoded): boolean {
  return a.ts < b.ts || (a.ts === b.ts && a.cpu < b.cpu);
}

/**
 * All records, the earliest first; of one time, that of the lowest CPU, then that of the first queue. Each queue's keep
 * their order.
 */
export function* inOrderOfTime(queues: readonly Iterable<readonly Decoded[]>[]): Generator<Decoded> {
  const left = queues
    .map((queue): Queue => ({ rest: queue[Symbol.iterator](), records: [], at: 0 }))
    .filter(refill);
  while (left.length > 0) {
    let first = left[0]!;
    let second: Decoded | undefined;
    for (let i = 1; i < left.length; i++) {
      const head = left[i]!.records[left[i]!.at]!;
      const best = first.records[first.at]!;
      if (isBefore(head, best)) {
        second = best;
        first = left[i]!;
      } else if (second === undefined || isBefore(head, second)) {
        second = head;
      }
    }
    // As long as they are clearly the earliest, the others need not be looked at.
    do yield first.records[first.at++]!;
    while (
      first.at < first.records.length &&
      (second === undefined || isBefore(first.records[first.at]!, second))
    );
    if (!refill(first)) left.splice(left.indexOf(first), 1);
  }
}
