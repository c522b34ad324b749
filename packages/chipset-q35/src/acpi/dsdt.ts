/**
 * The DSDT of a Q35 board: PCI root with windows and interrupt routing, interrupt links, sleep states, and what parts
 * add. Interrupts of PCI pins are routed to links: those that lead to ISA lines while the OS uses the 8259 pair, those
 * that are I/O APIC pins after `_PIC(1)`.
 *
 * Not there: PCI hot-plug. Source: ACPI specification 6.4, "PCI Routing Table", "_PIC"; which objects there are follows
 * QEMU 7.2's DSDT.
 */

import { SLP_TYP_S3, SLP_TYP_S4, SLP_TYP_S5 } from '../sleep-types.ts';
import {
  type Aml,
  ARG0,
  and,
  device,
  dwordField,
  eisaId,
  field,
  integer,
  method,
  name,
  not,
  or,
  packageOf,
  path,
  region,
  returns,
  scope,
  store,
  text,
  when,
} from './aml.ts';
import type { AcpiBoard } from './board.ts';
import type { AcpiTable } from './loader.ts';
import { osc } from './osc.ts';
import {
  buses,
  highMemoryWindow,
  interrupts,
  memoryWindow,
  ports,
  portWindow,
  resources,
} from './resources.ts';

const PIRQS = [0, 1, 2, 3, 4, 5, 6, 7];
const PINS = [1, 2, 3, 4];
const SLOTS = Array.from({ length: 32 }, (_, n) => n);
/** I/O APIC pin of PIRQA. */
const FIRST_GSI = 16;
/** ISA lines that a link may choose. */
const LINK_LINES = [5, 10, 11];
const GIB = 2 ** 30;
const GIB4 = 2 ** 32;
/** Bytes of the window above 4 GiB. */
const HIGH_WINDOW = 32 * GIB;
/** In the PM block. */
const GPE0_OFFSET = 0x20;
const GPE0_PORTS = 16;
const PIRQ_NOT_ROUTED = 0x80;
/** Where the windows below 4 GiB end: the I/O APIC is above. */
const LAST_PCI_ADDRESS = 0xfebf_ffff;

/** The table. */
export function dsdt(board: AcpiBoard): AcpiTable {
  const system = board.parts.map((part) => part.system ?? []);
  const bus = board.parts.map((part) => part.bus ?? []);
  const isa = board.parts.map((part) => part.isa ?? []);
  const root = board.parts.map((part) => part.root ?? []);
  const bridge = device('ISA', name('_ADR', integer(0x1f_0000)), region('PIRQ', 2, 0x60, 0x0c), ...isa);
  const routes = field('PCI0.ISA.PIRQ', [
    ...PIRQS.slice(0, 4).map((n) => [register(n), 8] as const),
    [null, 32],
    ...PIRQS.slice(4).map((n) => [register(n), 8] as const),
  ]);
  const terms = [
    scope('\\', name('PICF', integer(0)), method('_PIC', 1, store(ARG0, path('PICF')))),
    scope(
      '\\_SB',
      rootBridge(board),
      scope('PCI0', bridge, eventPorts(board), ...bus),
      ...ecamReservation(board),
      routes,
      ...PIRQS.map(link),
      ...PIRQS.map(pinLink),
      ...system,
    ),
    scope('\\_GPE', name('_HID', text('ACPI0006'))),
    ...root,
    ...sleepStates(board),
  ];
  return { signature: 'DSDT', revision: 1, body: terms.flat() };
}

/** The PCI root. */
function rootBridge({ ecam, ram, pirqOf }: AcpiBoard): Aml {
  const topOfLowRam = ram.belowBytes;
  const high = GIB4 + Math.ceil(ram.aboveBytes / GIB) * GIB;
  const windows =
    ecam === undefined || ecam.start >= LAST_PCI_ADDRESS || ecam.start < topOfLowRam
      ? [memoryWindow(topOfLowRam, LAST_PCI_ADDRESS)]
      : [
          ...(ecam.start > topOfLowRam ? [memoryWindow(topOfLowRam, ecam.start - 1)] : []),
          memoryWindow(ecam.start + ecam.sizeBytes, LAST_PCI_ADDRESS),
        ];
  const route = (target: (pirq: number) => Aml): Aml =>
    packageOf(
      ...SLOTS.flatMap((slot) =>
        PINS.map((pin) => {
          const address = integer(slot * 0x1_0000 + 0xffff);
          return packageOf(address, integer(pin - 1), target(pirqOf(slot, pin)), integer(0));
        }),
      ),
    );
  return device(
    'PCI0',
    ...[name('_HID', eisaId('PNP0A08')), name('_CID', eisaId('PNP0A03'))],
    name('_UID', integer(0)),
    osc(),
    name(
      '_CRS',
      resources(
        ...[buses(0, 0xff), ports(0xcf8, 8), portWindow(0, 0xcf7), portWindow(0xd00, 0xffff)],
        ...[memoryWindow(0xa_0000, 0xb_ffff, true), ...windows],
        highMemoryWindow(high, high + HIGH_WINDOW - 1),
      ),
    ),
    name(
      'PRTP',
      route((pirq) => path(linkName(pirq))),
    ),
    name(
      'PRTA',
      route((pirq) => path(pinLinkName(pirq))),
    ),
    method('_PRT', 0, when(path('PICF'), returns(path('PRTA'))), returns(path('PRTP'))),
  );
}

/** The link of a PIRQ: which ISA line it leads to, in the LPC bridge's register. */
function link(pirq: number): Aml {
  const own = path(register(pirq));
  return device(
    linkName(pirq),
    ...[name('_HID', eisaId('PNP0C0F')), name('_UID', integer(pirq))],
    name('_PRS', resources(interrupts(...LINK_LINES))),
    method(
      '_STA',
      0,
      when(and(own, integer(PIRQ_NOT_ROUTED)), returns(integer(0x09))),
      returns(integer(0x0b)),
    ),
    method('_DIS', 0, or(own, integer(PIRQ_NOT_ROUTED), own)),
    method(
      '_CRS',
      0,
      name('BUF0', resources(interrupts(0))),
      dwordField(path('BUF0'), 5, 'LINE'),
      when(not(and(own, integer(PIRQ_NOT_ROUTED))), store(own, path('LINE'))),
      returns(path('BUF0')),
    ),
    method('_SRS', 1, dwordField(ARG0, 5, 'LINE'), store(path('LINE'), own)),
  );
}

/** The link of a PIRQ to its I/O APIC pin, which cannot be changed. */
function pinLink(pirq: number): Aml {
  const pin = resources(interrupts(FIRST_GSI + pirq));
  return device(
    pinLinkName(pirq),
    ...[name('_HID', eisaId('PNP0C0F')), name('_UID', integer(FIRST_GSI + pirq))],
    ...[name('_PRS', pin), name('_CRS', pin)],
    ...[method('_DIS', 0), method('_SRS', 1)],
  );
}

/** The ports of the general-purpose events, for whoever gives ports away. */
function eventPorts({ pmBase }: AcpiBoard): Aml {
  return device(
    'GPE0',
    ...[name('_HID', eisaId('PNP0A06')), name('_UID', text('GPE0 resources')), name('_STA', integer(0x0b))],
    name('_CRS', resources(ports(pmBase + GPE0_OFFSET, GPE0_PORTS))),
  );
}

/** Nothing else may lie where ECAM is. */
function ecamReservation({ ecam }: AcpiBoard): Aml[] {
  if (ecam === undefined) return [];
  const range = resources(memoryWindow(ecam.start, ecam.start + ecam.sizeBytes - 1));
  return [device('DRAC', name('_HID', text('PNP0C01')), name('_CRS', range))];
}

/** `\_Sx`: SLP_TYP of PM1a and PM1b. */
function sleepStates({ sleep }: AcpiBoard): Aml[] {
  const state = (at: string, type: number): Aml =>
    name(at, packageOf(integer(type), integer(type), integer(0), integer(0)));
  return [
    ...(sleep.s3 ? [state('\\_S3', SLP_TYP_S3)] : []),
    ...(sleep.s4 ? [state('\\_S4', SLP_TYP_S4)] : []),
    state('\\_S5', SLP_TYP_S5),
  ];
}

function register(pirq: number): string {
  return `PRQ${'ABCDEFGH'[pirq]!}`;
}

function linkName(pirq: number): string {
  return `LNK${'ABCDEFGH'[pirq]!}`;
}

function pinLinkName(pirq: number): string {
  return `GSI${'ABCDEFGH'[pirq]!}`;
}
