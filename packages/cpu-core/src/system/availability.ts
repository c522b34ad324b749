/** What a CPU model has of all that encodings ask for. */
import { ENCODING_FEATURES } from '../decode/decode.ts';
import type { CpuModel } from './models.ts';

/** Whether a model has a feature by QEMU's name, or is of `family6` or later. */
function modelHas(model: CpuModel, feature: string): boolean {
  return feature === 'family6' ? model.family >= 6 : model.features.has(feature);
}

/** 1 for each of `ENCODING_FEATURES` that a model has, by its index. */
export function availability(model: CpuModel): Uint8Array {
  return Uint8Array.from(ENCODING_FEATURES, (text) => {
    const choices = text === '' ? [] : text.split('|');
    const has = choices.some((choice) => choice.split('+').every((feature) => modelHas(model, feature)));
    return text === '' || has ? 1 : 0;
  });
}

/** The name of the feature by which a model has an encoding. */
export function featureBehind(model: CpuModel, encodingFeature: number): string {
  const names = ENCODING_FEATURES[encodingFeature]!.split(/[|+]/);
  return names.find((feature) => modelHas(model, feature)) ?? names[0]!;
}
