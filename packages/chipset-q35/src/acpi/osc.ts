/**
 * `_OSC` of the PCI root: which features of PCI Express the OS may control itself. Source: PCI Firmware Specification
 * 3.0, "_OSC Interface for PCI Host Bridge Devices"; which are granted follows QEMU 7.2.
 */
import { type Aml, dwordField, integer, method, or, path, returns, store, when } from './aml.ts';
import { andInto, arg, equal, local, otherwise, unequal, uuid } from './aml-code.ts';

const HOST_BRIDGE = '33db4d5b-1ff7-401c-9657-7441c03dd766';
/** SHPC hot-plug, PME, AER, the capability structure; not hot-plug of PCI Express and no LTR. */
const GRANTED = 0x1e;
/** Bits of the first dword of the answer. */
const UNKNOWN_UUID = 0x04;
const UNKNOWN_REVISION = 0x08;
const MASKED = 0x10;

/** The method. */
export function osc(): Aml {
  const say = (bit: number): Aml => or(path('STAT'), integer(bit), path('STAT'));
  const buffer = arg(3);
  return method(
    '_OSC',
    4,
    dwordField(buffer, 0, 'STAT'),
    when(
      equal(arg(0), uuid(HOST_BRIDGE)),
      dwordField(buffer, 8, 'CTRL'),
      andInto(path('CTRL'), integer(GRANTED), local(0)),
      when(unequal(arg(1), integer(1)), say(UNKNOWN_REVISION)),
      when(unequal(path('CTRL'), local(0)), say(MASKED)),
      store(local(0), path('CTRL')),
    ),
    otherwise(say(UNKNOWN_UUID)),
    returns(buffer),
  );
}
