/** Which endpoints have no sidecar of their own, so that their cluster's gateways speak for them (decision 0040). Pure. */
import { SIDECAR_LABEL } from '@hawser/model/injection/injection-names.ts';

/** Istio's word on how a workload takes calls of the mesh: `istio` by a sidecar, `disabled` in plain. */
const TLS_MODE = 'security.istio.io/tlsMode';

/** Labels or annotations. */
type Texts = Readonly<Record<string, string>> | undefined;

/** Whether the workload with these labels has no sidecar: it says so itself; in gateway mode, unless it says that it has one. */
export function isBare(
  labels: Texts,
  { gatewayMode, annotations }: { readonly gatewayMode: boolean; readonly annotations?: Texts },
): boolean {
  const mode = labels?.[TLS_MODE];
  if (mode === 'disabled') return true;
  return gatewayMode && mode !== 'istio' && labels?.[SIDECAR_LABEL] === undefined && annotations?.[SIDECAR_LABEL] === undefined;
}
