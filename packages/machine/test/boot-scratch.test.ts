import { readFileSync, writeFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { it } from 'vitest';
import { Boot } from '../src/boot/boot.ts';
it('boot', () => {
  const env = process.env;
  const d = '/usr/share/OVMF/';
  const x = env['OVMF32'] ? '32' : '';
  let ser = '';
  const b = new Boot({ code: readFileSync(`${d}OVMF${x}_CODE_4M.secboot.fd`), vars: readFileSync(`${d}OVMF${x}_VARS_4M.fd`), cpus: Number(env['CPUS'] ?? 1), serial: (c) => { ser += String.fromCharCode(c); }, ...(env['CPU'] ? { cpu: env['CPU'] } : {}), ...(env['HOST'] ? { accelerator: 'kvm', host: env['HOST'] } : env['KVM'] ? { accelerator: 'kvm' } : {}) });
  const t0 = process.cpuUsage();
  try {
    for (let i = 0; i < Number(env['N'] ?? 30); i++) {
      const stop = b.run(50_000_000, () => ser.includes('Shell> '));
      const u = process.cpuUsage(t0); const s = (u.user + u.system) / 1e6;
      console.log(i, stop, b.machine.retired, b.cpus().map((c) => `${c.rip.toString(16)} ${c.smbase.toString(16)} ${c.smmEntries} ${c.idle ?? ''} ${c.module?.name ?? ''}`).join(' | '), `${s.toFixed(2)} s`, `${(b.machine.retired / s / 1e6).toFixed(1)} MIPS`, ser.length);
      if (stop !== 'budget' || ser.includes('Shell> ')) break;
    }
  } catch (e) { console.log(e); console.log(b.cpus().map((c) => `${c.rip.toString(16)} ${JSON.stringify(c.module)}`)); }
  const h = (s: Uint8Array | string) => createHash('sha256').update(s).digest('hex');
  console.log(JSON.stringify(ser), ser.length, h(Buffer.from(ser, 'latin1')), h(b.vars()), b.machine.shutdownReason, b.busyWait);
}, 900000);
