import { readFileSync } from 'node:fs';
import { it } from 'vitest';
import { cpuModel } from '@smm/cpu-core';
import { Machine } from '../src/machine.ts';
import { resolveSwitches } from '../src/hosts.ts';
import { DEFAULT_KVM_OPTIONS } from '../src/kvm/options.ts';
import { proveEndlessLoop } from '../src/endless-loop.ts';
import { ModuleMap } from '../src/module-map.ts';
import { SAVE_STATE_AMD64 } from '@smm/x86-defs';
import { FwCfg, littleEndian } from '../../chipset-q35/src/fw-cfg.ts';
import { Pflash } from '../../chipset-q35/src/pflash.ts';
it('ovmf', () => {
  const d = '/usr/share/OVMF/';
  const x = process.env['OVMF32'] ? '32' : '';
  const flash = Buffer.concat([readFileSync(`${d}OVMF${x}_VARS_4M.fd`), readFileSync(`${d}OVMF${x}_CODE_4M.secboot.fd`)]);
  const events: any[] = [];
  const m = new Machine({ cpus: Number(process.env['CPUS'] ?? 1), memoryMiB: 256, model: cpuModel('qemu64'), flash: new Uint8Array(flash), saveState: SAVE_STATE_AMD64, accelerator: process.env['HOST'] ? { options: DEFAULT_KVM_OPTIONS, switches: resolveSwitches({ accelerator: 'kvm', host: process.env['HOST'] }).kvm } : 'tcg', behaviour: resolveSwitches(process.env['HOST'] ? { accelerator: 'kvm', host: process.env['HOST'] } : { accelerator: 'tcg' }).behaviour, schedule: { seed: 0, slice: 100_000 }, comm: 'x', trace: (e) => { if (e.name === 'smm_unclaimed' && events.length < 200) events.push(`${e.space} ${e.address.toString(16)} ${e.write} ${e.size}`); else if (e.name === 'smm_shutdown' || e.name==='smm_note') events.push(JSON.stringify(e, (k, v) => typeof v === 'bigint' ? v.toString(16) : v)); } });
  const mm: any = m;
  const buffer = (mm.processors[0].state.views.u8 as Uint8Array);
  const written = (at: number, n: number) => mm.space; 
  const base = 0x1_0000_0000 - flash.length;
  new Pflash({ space: m.space, bytes: buffer, written }, { name: 'vars', start: base, hostOffset: m.plan.romOffset, sizeBytes: 540672, readonly: false, secure: true }, 50);
  const sup = littleEndian(7, 8), req = new Uint8Array(8), ok = new Uint8Array(1);
  const fw = new FwCfg({ readBlock: (g, i, a) => m.space.readBlock(g, i, a), writeBlock: (g, b, a) => m.space.writeBlock(g, b, a) }, m.processors.length, [
    { name: 'etc/system-states', data: Uint8Array.from([128, 0, 0, 129, 130, 128]) },
    { name: 'etc/smi/supported-features', data: sup }, { name: 'etc/smi/requested-features', data: req, writable: true },
    { name: 'etc/smi/features-ok', data: ok, onSelect: () => { if ((req[0]! & ~7) === 0) { ok[0] = 1; m.chipset.apm.setBroadcast((req[0]! & 1) !== 0); } } },
  ]);
  m.ports.add({ name: 'fwcfg', first: 0x510, count: 12, device: fw });
  let sel = 0;
  const hp = { name: 'hotplug', in: (p: number, size: number) => (p === 0xcd8 ? 0 : p === 0xcdc ? (sel < m.processors.length ? 1 : 0) : p === 0xce0 ? (sel < m.processors.length ? sel : 0) : 0), out: (p: number, size: number, v: number) => { if (p === 0xcd8) sel = v; } };
  m.ports.add({ name: 'hotplug', first: 0xcd8, count: 12, device: hp as any });
  let ser = '';
  const u = new Uint8Array(8);
  const uart = { name: 'uart', in: (p: number) => p === 0x3fd ? 0x60 : p === 0x3fe ? 0xb0 : p === 0x3fa ? 1 : u[p - 0x3f8]!, out: (p: number, s: number, v: number) => { if (p === 0x3f8 && !(u[3]! & 0x80)) { ser += String.fromCharCode(v); } u[p - 0x3f8] = v; } };
  m.ports.add({ name: 'uart', first: 0x3f8, count: 8, device: uart as any, maxSize: 1 });
  const t0 = process.cpuUsage();
  try {
    for (let i = 0; i < Number(process.env['N'] ?? 60); i++) {
      const stop = m.run({ instructions: 10_000_000 });
      const u = process.cpuUsage(t0); const s = (u.user + u.system) / 1e6;
      console.log(i, stop, m.retired, m.processors.map((p) => p.state.rip.toString(16)).join(' '), `${s.toFixed(2)} s`, `${(m.retired / s / 1e6).toFixed(1)} MIPS`);
      if (stop !== 'budget') break;
    }
  } catch (e) { console.log(e, JSON.stringify((e as any).details, (k, v) => typeof v === 'bigint' ? v.toString(16) : v)); }
  console.log(JSON.stringify(ser));
  const map = new ModuleMap((g, n) => m.peek(g, n, true)); console.log(map.learn([{ start: 0x820000, sizeBytes: 0xe0000 }, { start: 0x900000, sizeBytes: 0xe00000 }]), m.processors.map((p) => JSON.stringify(map.find(Number(p.state.rip)))));
  console.log(proveEndlessLoop(m));
  console.log(m.smmEntries, m.processors.map((p) => p.state.smbase.toString(16)), m.shutdownReason, [...new Set(events)].slice(0, 60).join('\n'), m.log.join('\n'));
}, 600000);
