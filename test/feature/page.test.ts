/** The hub's page in a real browser: it needs no token on loopback, and shows the federation as it is. */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { inFederation } from '../bench/federation.ts';
import { freePort } from '../kit/ports.ts';
import { available } from '../kit/requirements.ts';

const QUIET = ['gpu', 'quic', 'background-networking', 'component-update', 'sync'].map((part) => `--disable-${part}`);

/** The page's text as a browser shows it, after its first live updates. */
async function rendered(url: string): Promise<string> {
  const profile = mkdtempSync(join(tmpdir(), 'hawser-chromium-'));
  const flags = ['--headless', '--no-sandbox', '--no-first-run', `--user-data-dir=${profile}`, '--virtual-time-budget=4000', '--dump-dom'];
  try {
    const { stdout } = await promisify(execFile)('chromium', [...flags, ...QUIET, url], { timeout: 60_000, maxBuffer: 16 * 1024 * 1024 });
    return stdout.replace(/<[^>]+>/g, ' ').replace(/\s+/g, ' ');
  } finally {
    rmSync(profile, { recursive: true, force: true });
  }
}

describe.skipIf(!available('chromium'))("the hub's page", () => {
  it('shows clusters, proxies in sync and who serves what', { timeout: 180_000 }, async () => {
    const plan = { 'us-east': ['client-v1', 'details-v1'], 'us-west': ['details-v1', 'details-v2'] };
    const place = { base: '127.94', hubPort: await freePort(), postgresPort: await freePort(), natsPort: await freePort() };
    await inFederation({ plan, place }, async ({ hub }) => {
      let text = '';
      const render = async (): Promise<string> => {
        text = await rendered(hub.url);
        return text;
      };
      // A proxy may have connected a moment ago.
      await expect.poll(render, { timeout: 60_000 }).toContain('Every cluster is connected and every proxy is in sync');
      expect(text).toContain('Region us-east');
      expect(text).toContain('Region us-west');
      expect(text).toMatch(/details bookinfo/);
      expect(text).toMatch(/2\/2/);
    });
  });
});
