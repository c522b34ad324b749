/**
 * Sits between processors and the accelerator's page walker: marks written pages, makes SMBASE stores visible, and on
 * request counts stores and collects what is read. It sees a page at the first access after a flush, which is all that
 * it needs.
 */
import {
  ACCESS_EXEC,
  ACCESS_WRITE,
  type PageWalker,
  TRANSLATED_DEVICE,
  TRANSLATED_RAM,
  type TranslateRequest,
} from '@smm/cpu-core';
import type { TouchedPages } from '../platform/touched-pages.ts';

/** What processors did while they were watched. */
export interface WatchedAccesses {
  /** Pages that were asked for to be written. */
  readonly stores: number;
  /** Linear address of the first data read on each page, by processor. */
  readonly reads: ReadonlyMap<number, readonly number[]>;
}

/** The watch of one machine. */
export class TranslationWatch {
  readonly #touched: TouchedPages;
  readonly #savePage: (processor: number) => number;
  #watching = false;
  /** Stores seen since the watch began. */
  stores = 0;
  #reads = new Map<number, number[]>();

  /**
   * @param touched - where written pages are marked
   * @param savePage - page of a processor's save area, whose data accesses in SMM are to go through the bus
   */
  constructor(touched: TouchedPages, savePage: (processor: number) => number) {
    this.#touched = touched;
    this.#savePage = savePage;
  }

  /** Starts to count. The caller has flushed all TLBs. */
  start(): void {
    this.stores = 0;
    this.#reads = new Map();
    this.#watching = true;
  }

  /** Ends {@link TranslationWatch.start} and answers what was seen. */
  stop(): WatchedAccesses {
    this.#watching = false;
    return { stores: this.stores, reads: this.#reads };
  }

  /** A page walker that asks `inner` and watches. */
  pageWalker(inner: PageWalker): PageWalker {
    return {
      translate: (request, result) => {
        inner.translate(request, result);
        if (request.debug) return;
        const { access } = request;
        if (this.#watching && access !== ACCESS_EXEC) this.#note(request);
        if (result.outcome !== TRANSLATED_RAM) return;
        if (request.smm && access !== ACCESS_EXEC && result.gpaPage === this.#savePage(request.processor)) {
          result.outcome = TRANSLATED_DEVICE;
          return;
        }
        if (access === ACCESS_WRITE) this.#touched.mark(result.hostPage);
        else result.writable = false; // so that the first store asks again and is seen
      },
    };
  }

  #note({ access, processor, linear }: TranslateRequest): void {
    if (access === ACCESS_WRITE) {
      this.stores++;
      return;
    }
    const list = this.#reads.get(processor);
    if (list === undefined) this.#reads.set(processor, [linear]);
    else list.push(linear);
  }
}
