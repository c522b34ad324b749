// In a page with <pre></pre>; beside it worker.js and two files of Debian's package ovmf.
const load = async (file: string) => new Uint8Array(await (await fetch(file)).arrayBuffer());
const [code, vars] = await Promise.all([load('OVMF_CODE_4M.secboot.fd'), load('OVMF_VARS_4M.fd')]);

const screen = document.querySelector('pre')!;
const escapes = new RegExp(`${String.fromCharCode(27)}\\[[0-9;?]*[A-Za-z]`, 'g'); // a terminal would draw them
const worker = new Worker(new URL('./worker.js', import.meta.url), { type: 'module' });
worker.onmessage = ({ data }) => {
  if (typeof data === 'string') screen.textContent += data.replace(escapes, '');
  else document.title = `${data.outcome}: ${data.summary}`;
};
worker.onerror = ({ message }) => {
  document.title = message;
};
document.onkeydown = ({ key }) => {
  if (key === 'Enter') worker.postMessage(13);
  else if (key.length === 1) worker.postMessage(key.charCodeAt(0));
};

// page.html?until=shell ends at the prompt; without, the guest runs until the page is closed.
const until = new URLSearchParams(location.search).get('until') ?? undefined;
worker.postMessage({ machine: { code, vars, cpus: 2 }, until });
