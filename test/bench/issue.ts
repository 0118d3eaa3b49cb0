/** `bench issue`: how many certificates a second an agent gives to workloads, each with a key of its own. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openAuthority } from '@hawser/agent/trust/open-authority.ts';
import { svidProblems } from '@hawser/agent/trust/svid.ts';
import { percentile } from '../../deploy/demo/figures.ts';
import type { Bench } from './bench.ts';

const ROUNDS = 5;
const CERTIFICATES = 2_000;
/** Proxies that ask at once. */
const AT_ONCE = 16;
const TRUST_DOMAIN = 'us-east.hawser';

/** The benchmark; every tenth certificate is looked at, outside of the time that is taken. */
export const issue: Bench = {
  name: 'issue',
  title: `certificates of workloads, keys included, ${AT_ONCE} asked for at once`,
  bars: { per_second: { min: 400, samples: ROUNDS } },
  run: async (book) => {
    const folder = await mkdtemp(join(tmpdir(), 'hawser-issue-'));
    try {
      const authority = await openAuthority(folder, TRUST_DOMAIN);
      const rounds: number[] = [];
      for (let round = 0; round < ROUNDS; round += 1) {
        const chains: string[] = [];
        const started = performance.now();
        await Promise.all(Array.from({ length: AT_ONCE }, () => issueInTurn(authority, chains)));
        rounds.push(chains.length / ((performance.now() - started) / 1_000));
        const bad = chains.filter((_, index) => index % 10 === 0).flatMap((chain) => svidProblems(chain, { trustDomain: TRUST_DOMAIN }));
        if (bad.length > 0 || new Set(chains).size !== CERTIFICATES) throw new Error(`not what was asked for: ${bad[0] ?? 'repeated'}`);
      }
      const raw = rounds.map((perSecond) => ({ perSecond }));
      book.note('per_second', { value: percentile(rounds, 50), unit: 'certificates/s', samples: rounds.length }, raw);
      book.note('per_second_least', { value: Math.min(...rounds), unit: 'certificates/s', samples: rounds.length });
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  },
};

async function issueInTurn(authority: Awaited<ReturnType<typeof openAuthority>>, chains: string[]): Promise<void> {
  for (;;) {
    const index = chains.push('') - 1;
    if (index >= CERTIFICATES) {
      chains.length = CERTIFICATES;
      return;
    }
    const issued = await authority.issue({ namespace: 'bookinfo', serviceAccount: `reviews-${index % 200}` });
    chains[index] = issued.certificateChainPem;
  }
}
