import { BootSession, type SessionOptions } from '@smm/machine';

let session: BootSession | undefined;

// From the page: first what to boot, then keys, as bytes. To the page: text, and in the end the report.
addEventListener(
  'message',
  async ({ data }: MessageEvent<number | Pick<SessionOptions, 'machine' | 'until'>>) => {
    if (typeof data === 'number') {
      session?.send(data);
      return;
    }
    const text = new TextDecoder();
    session = new BootSession({
      ...data,
      host: {
        now: () => performance.now(),
        breathe: () => new Promise((goOn) => setTimeout(goOn)), // every 50 ms: keys come in between
      },
      show: (bytes) => postMessage(text.decode(bytes, { stream: true })),
    });
    const { report } = await session.run();
    postMessage(report);
  },
);
