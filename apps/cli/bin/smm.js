#!/usr/bin/env node
import { needNode } from '../../../scripts/need-node.mjs';

const main = new URL('../dist/main.js', import.meta.url);
needNode('smm', main);
await import(main.href);
