/** The algorithms by which a trace.dat of version 7 can be compressed. */
import { deflateSync, inflateSync } from 'node:zlib';
import type { TraceCodec } from '@smm/trace';

/** Names of the algorithms, as trace-cmd calls them. */
export const COMPRESSIONS = ['none', 'zlib', 'zstd'] as const;

const zlib: TraceCodec = {
  name: 'zlib',
  version: process.versions['zlib'] ?? '',
  compress: (data) => deflateSync(data),
  decompress: (data, size) => inflateSync(data, { maxOutputLength: Math.max(size, 1) }),
};

/** All of them. Zstandard is loaded when it is asked for. */
export async function traceCodecs(): Promise<readonly TraceCodec[]> {
  const { Zstd } = await import('@hpcc-js/wasm-zstd');
  const zstd = await Zstd.load();
  return [
    zlib,
    {
      name: 'zstd',
      version: zstd.version(),
      compress: (data) => zstd.compress(data),
      decompress: (data) => zstd.decompress(data),
    },
  ];
}
