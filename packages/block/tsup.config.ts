export { modelPackage as default } from '../../tsup.base.ts';
