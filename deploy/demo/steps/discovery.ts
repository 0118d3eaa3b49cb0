/** Every service answers in every region, wherever it runs. */
import { hostOf, SERVICES, sidecarOf } from '../topology.ts';
import { get, waitFor } from '../wait.ts';
import type { Step, StepContext } from './step.ts';

/** The step. */
export const discovery: Step = {
  name: 'discovery',
  title: 'Discovery across regions: every service, called from every region',
  keys: ['first_request_s'],
  run: async (context) => {
    const { fleet, firstRequestS, say } = context.demo;
    context.book.note('first_request_s', { value: firstRequestS, unit: 's', samples: 1 }, [{ seconds: firstRequestS }]);
    for (const { name } of fleet.clusters) {
      const answers = await Promise.all(SERVICES.map((service) => answeredBy(context, name, service)));
      say.done(`${name}: ${SERVICES.map((service, index) => `${service} from ${answers[index]}`).join(', ')}`);
    }
  },
};

async function answeredBy(context: StepContext, from: string, service: string): Promise<string> {
  const { fleet } = context.demo;
  const sidecar = sidecarOf(fleet.workload(from, 'client-v1'));
  const local = fleet.cluster(from).workloads.some((workload) => workload.service === service);
  const ask = async (): Promise<string | undefined> => {
    const { status, headers } = await get(`http://${sidecar}/ping`, { host: hostOf(service) });
    const cluster = String(headers['x-hawser-cluster']);
    return status === 200 && (cluster === from) === local ? cluster : undefined;
  };
  return waitFor(`${service} does not answer ${from} from ${local ? 'there' : 'another region'}`, ask, { timeoutMs: 30_000 });
}
