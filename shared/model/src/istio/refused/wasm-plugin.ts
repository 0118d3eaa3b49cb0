/** Envoy fetches modules by itself, from files and by HTTP: nothing of ours pulls images. */
const NO_IMAGES = 'Envoy takes modules from files and by HTTP, not from image registries';

/** Fields of WasmPlugin that are refused, and why. */
export const WASM_PLUGIN: Readonly<Record<string, string>> = {
  imagePullPolicy: NO_IMAGES,
  imagePullSecret: NO_IMAGES,
  verificationKey: NO_IMAGES,
};
