/**
 * A virtio entropy source whose bytes follow from a seed, so that runs can be repeated: not for secrets.
 * Sources: Virtual I/O Device (VIRTIO) 1.2, "Entropy Device"; Blackman and Vigna, xoshiro128**.
 */
import type { Clock } from '@smm/bus';
import type { ResetKind } from '../part.ts';
import { VirtioPci, type VirtioState } from './virtio-pci.ts';
import { type Chain, lengthOf, movePieces, QueueFault } from './virtqueue.ts';

const QUEUE_SIZE = 8;
/** Bytes that one request gets at most. */
const MOST_BYTES = 0x1_0000;

/** What a {@link VirtioRng} is given. */
export interface VirtioRngOptions {
  /** PCI device number, 1 to 30. */
  readonly slot: number;
  /** Virtual time. */
  readonly clock: Clock;
  /** 32 bit. Default 0. */
  readonly seed?: number;
}

/** Architectural state. */
export interface VirtioRngState extends VirtioState {
  /** The generator, four words. */
  words: number[];
}

/** The source. */
export class VirtioRng extends VirtioPci {
  readonly #seed: number;
  #words: Uint32Array;

  constructor({ slot, clock, seed = 0 }: VirtioRngOptions) {
    super({
      ...{ name: `virtio-rng-${slot}`, slot, type: 4, classCode: 0x00_ff00, features: 0 },
      ...{ queues: 1, queueSize: QUEUE_SIZE, clock },
    });
    this.#seed = seed;
    this.#words = seeded(seed);
  }

  /** At power-on its numbers begin anew. */
  override reset(kind: ResetKind): void {
    super.reset(kind);
    if (kind === 'power-on') this.#words = seeded(this.#seed);
  }

  /** Device and where its numbers are. */
  override save(): VirtioRngState {
    return { ...super.save(), words: [...this.#words] };
  }

  /** Puts device and numbers back. */
  override restore(state: VirtioRngState): void {
    this.#words = Uint32Array.from(state.words);
    super.restore(state);
  }

  protected override configuration(): Uint8Array {
    return new Uint8Array(0);
  }

  protected override carryOut(_queue: number, { writable }: Chain): number {
    const bytes = new Uint8Array(Math.min(MOST_BYTES, lengthOf(writable)));
    for (let at = 0; at < bytes.length; at += 4) {
      const word = this.#next();
      for (let i = 0; i < 4 && at + i < bytes.length; i++) bytes[at + i] = word >>> (8 * i);
    }
    if (!movePieces(writable, bytes, this.dma.write))
      throw new QueueFault('the device may not master the bus');
    return bytes.length;
  }

  #next(): number {
    const s = this.#words;
    const result = Math.imul(rotated(Math.imul(s[1]!, 5), 7), 9);
    const shifted = s[1]! << 9;
    s[2]! ^= s[0]!;
    s[3]! ^= s[1]!;
    s[1]! ^= s[2]!;
    s[0]! ^= s[3]!;
    s[2]! ^= shifted;
    s[3] = rotated(s[3]!, 11);
    return result >>> 0;
  }
}

function rotated(word: number, by: number): number {
  return (word << by) | (word >>> (32 - by));
}

/** Four words from one, by splitmix32. */
function seeded(seed: number): Uint32Array {
  let state = seed;
  return Uint32Array.from({ length: 4 }, () => {
    state = (state + 0x9e37_79b9) | 0;
    let z = state;
    z = Math.imul(z ^ (z >>> 16), 0x85eb_ca6b);
    z = Math.imul(z ^ (z >>> 13), 0xc2b2_ae35);
    return z ^ (z >>> 16);
  });
}
