import { expect, test } from 'vitest';
import { WAS_COUNTED } from './grpc-messages.ts';
import { httpMetrics } from './istio-metrics.ts';

const AS_THEY_ARE = { disabled: new Set<string>(), tags: new Map() };

/** How many loggers there are, how many of them count messages of gRPC, and whether any asks for the content type. */
function seen(isHttp1: boolean): readonly [number, number, boolean] {
  const logs = httpMetrics({ reporter: 'destination' }, AS_THEY_ARE, isHttp1);
  const texts = logs.map(({ configType }) =>
    Buffer.from(configType?.case === 'typedConfig' ? (configType.value.value ?? []) : []).toString(),
  );
  return [logs.length, logs.filter(({ filter }) => filter === WAS_COUNTED).length, texts.some((text) => text.includes('content-type'))];
}

test('a port of HTTP/1.1 has no messages of gRPC to count, and nothing to tell from it', () => {
  const [all, messages, asks] = seen(false);
  expect([messages > 0, asks]).toEqual([true, true]);
  expect(seen(true)).toEqual([all - messages, 0, false]);
});
