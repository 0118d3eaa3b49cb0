/** What an Envoy knows of its upstreams, for behaviours that the answer alone does not show. */
import type { Rig } from './rig.ts';

/** The upstream that is called unless another is named. */
export const REVIEWS = 'outbound|80||reviews.bookinfo.svc.clusterset.local';

/** A counter or gauge of an upstream of the first client; several of one name are added up. */
export async function upstreamStat(rig: Rig, name: string, cluster = REVIEWS): Promise<number> {
  const text = await rig.client().admin(`/stats?filter=${name.replaceAll('.', '\\.')}$`);
  const lines = text.split('\n').filter((line) => line.startsWith(`cluster.${cluster}`) && line.includes(`.${name}: `));
  return lines.reduce((sum, line) => sum + Number(line.split(': ').at(-1)), 0);
}

/** The first client's endpoints of an upstream that it leaves alone because they failed: their addresses. */
export async function ejected(rig: Rig, cluster = REVIEWS): Promise<string[]> {
  const text = await rig.client().admin('/clusters');
  const lines = text.split('\n').filter((line) => line.startsWith(`${cluster}::`) && line.includes('failed_outlier_check'));
  return lines.map((line) => line.split('::')[1]?.split(':')[0] ?? '');
}
