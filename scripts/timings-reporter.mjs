// A reporter of vitest: what each test file cost, into test-timings.json, and the ten dearest printed.
import { writeFileSync } from 'node:fs';

const FILE = 'test-timings.json';
const SHOWN = 10;
const seconds = (value) => Math.round(value * 100) / 100;

export default class TimingsReporter {
  onTestRunEnd(modules) {
    const files = modules
      .map((module) => {
        const { duration, collectDuration, setupDuration } = module.diagnostic();
        return {
          file: module.relativeModuleId,
          cpu: seconds(module.meta().cpuSeconds ?? 0),
          wall: seconds((duration + collectDuration + setupDuration) / 1000),
        };
      })
      .sort((a, b) => b.cpu - a.cpu);
    const sum = (key) => seconds(files.reduce((total, file) => total + file[key], 0));
    writeFileSync(FILE, `${JSON.stringify({ cpu: sum('cpu'), wall: sum('wall'), files }, null, 2)}\n`);
    console.log(`processor time of ${files.length} test files: ${sum('cpu')} s (${FILE}); most of it:`);
    for (const { file, cpu, wall } of files.slice(0, SHOWN))
      console.log(`${cpu.toFixed(1).padStart(7)} s cpu ${wall.toFixed(1).padStart(7)} s wall  ${file}`);
  }
}
