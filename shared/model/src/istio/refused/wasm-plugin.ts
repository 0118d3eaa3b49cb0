/** Envoy fetches modules by itself, from files and by HTTP: nothing of ours pulls images. */
const NO_IMAGES = 'Envoy takes modules from files and by HTTP, not from image registries';

/** Fields of WasmPlugin that are refused, and why. */
export const WASM_PLUGIN: Readonly<Record<string, string>> = {
  imagePullPolicy: 'every module that Envoy fetches is pinned by sha256: fetched again it would be the same',
  imagePullSecret: NO_IMAGES,
  verificationKey: 'Envoy verifies no signatures of modules, nor does Istio: sha256 says which module is meant',
};
