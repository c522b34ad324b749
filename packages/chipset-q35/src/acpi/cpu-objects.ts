/**
 * Processors as ACPI objects: their state and events come from the hot-plug registers, and event 2 of the
 * general-purpose block says that there are some. Source: QEMU docs/specs/acpi_cpu_hotplug.rst; which objects there are
 * follows QEMU 7.2.
 */
import { ICH9_CPU_HOTPLUG_BASE } from '@smm/x86-defs';
import {
  type Aml,
  buffer,
  device,
  eisaId,
  integer,
  method,
  name,
  path,
  region,
  returns,
  store,
  text,
  when,
} from './aml.ts';
import { arg, call, equal, local, locked, mutex, notify, otherwise, whilst, wideField } from './aml-code.ts';
import { localApicEntry } from './madt-entries.ts';
import { ports, resources } from './resources.ts';

const REGISTERS = '\\_SB.PCI0.PRES';
const PORTS = 0x0c;
const PRESENT_AND_WORKING = 0xf;
const COMMANDS = { nextEvent: 0, ostEvent: 1, ostStatus: 2 } as const;
const EVENTS = { inserted: 1, ejectRequested: 3 } as const;

/** The terms of `\_SB` and of the root for processors of these APIC ids. */
export function processorObjects(apicIds: readonly number[]): { readonly system: Aml; readonly root: Aml } {
  const system = [
    registers(),
    device(
      'CPUS',
      ...[name('_HID', text('ACPI0010')), name('_CID', eisaId('PNP0A05'))],
      tell(apicIds.length),
      status(),
      eject(),
      scan(),
      outcome(),
      ...apicIds.map(one),
    ),
  ];
  return { system: system.flat(), root: method('\\_GPE._E02', 0, call('\\_SB.CPUS.CSCN')) };
}

function register(field: string): Aml {
  return path(`${REGISTERS}.${field}`);
}

/** The registers, and the ports that they take. */
function registers(): Aml {
  return device(
    'PCI0.PRES',
    ...[name('_HID', eisaId('PNP0A06')), name('_UID', text('CPU Hotplug resources')), mutex('CPLK')],
    name('_CRS', resources(ports(ICH9_CPU_HOTPLUG_BASE, PORTS))),
    region('PRST', 1, ICH9_CPU_HOTPLUG_BASE, PORTS),
    wideField('PRST', { bytes: 1, rest: 'zeros' }, [
      [null, 32],
      ...(['CPEN', 'CINS', 'CRMV', 'CEJ0', 'CEJF'] as const).map((bit) => [bit, 1] as const),
      [null, 3],
      ['CCMD', 8],
    ]),
    wideField('PRST', { bytes: 4, rest: 'preserved' }, [
      ['CSEL', 32],
      [null, 32],
      ['CDAT', 32],
    ]),
    method('_INI', 0, store(integer(0), path('CSEL'))), // turns the bitmap into these registers
  );
}

const exclusively = (...terms: readonly Aml[]): Aml => locked(`${REGISTERS}.CPLK`, ...terms);
const select = (index: Aml): Aml => store(index, register('CSEL'));
const command = (value: number): Aml => store(integer(value), register('CCMD'));

/** CTFY: tells the OS of an event of a processor. */
function tell(count: number): Aml {
  const each = Array.from({ length: count }, (_, n) =>
    when(equal(arg(0), integer(n)), notify(objectName(n), arg(1))),
  );
  return method('CTFY', 2, ...each);
}

/** CSTA: _STA of a processor. */
function status(): Aml {
  const there = when(equal(register('CPEN'), integer(1)), store(integer(PRESENT_AND_WORKING), local(0)));
  return method(
    'CSTA',
    1,
    exclusively(select(arg(0)), store(integer(0), local(0)), there),
    returns(local(0)),
  );
}

/** CEJ0: _EJ0 of a processor. */
function eject(): Aml {
  return method('CEJ0', 1, exclusively(select(arg(0)), store(integer(1), register('CEJ0'))));
}

/** CSCN: asks for processors with an event until there is none, tells the OS of each and clears it. */
function scan(): Aml {
  const event = (flag: 'CINS' | 'CRMV', value: number): Aml =>
    when(
      equal(register(flag), integer(1)),
      call('CTFY', register('CDAT'), integer(value)),
      store(integer(1), register(flag)),
      store(integer(1), local(0)),
    );
  return method(
    'CSCN',
    0,
    exclusively(
      select(integer(0)),
      store(integer(1), local(0)),
      whilst(
        equal(local(0), integer(1)),
        store(integer(0), local(0)),
        command(COMMANDS.nextEvent),
        event('CINS', EVENTS.inserted),
        otherwise(event('CRMV', EVENTS.ejectRequested)),
      ),
    ),
  );
}

/** COST: _OST of a processor; the registers take what the OS made of an event. */
function outcome(): Aml {
  const give = (value: number, what: Aml): Aml => [...command(value), ...store(what, register('CDAT'))];
  return method(
    'COST',
    3,
    exclusively(select(arg(0)), give(COMMANDS.ostEvent, arg(1)), give(COMMANDS.ostStatus, arg(2))),
  );
}

function one(apicId: number, index: number): Aml {
  const id = integer(index);
  const terms = [
    method('_STA', 0, returns(call('CSTA', id))),
    name('_MAT', buffer(localApicEntry(index, apicId, true))),
    ...(index === 0 ? [] : [method('_EJ0', 1, call('CEJ0', id))]), // the first is never taken out
    method('_OST', 3, call('COST', id, arg(0), arg(1))),
  ];
  return device(objectName(index), name('_HID', text('ACPI0007')), name('_UID', id), ...terms);
}

function objectName(index: number): string {
  return `C${index.toString(16).toUpperCase().padStart(3, '0')}`;
}
