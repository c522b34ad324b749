/**
 * {@link GuestFault.vector} of an access after which the processor cannot go on (`TRANSLATED_SHUTDOWN`): see `reason`.
 */
export const VECTOR_SHUTDOWN = -1;

/** A guest exception on its way from where it is found to where it is delivered. Never leaves `Processor.run`. */
export class GuestFault {
  /** Vector, 0..31. */
  vector = 0;
  /** Error code, or -1 where the vector has none. */
  errorCode = -1;
  /** CR2 for #PF: linear address, canonical as a signed number. */
  cr2 = 0;
  /** Why the processor shuts down, one sentence; only with `VECTOR_SHUTDOWN`. */
  reason = '';
}
