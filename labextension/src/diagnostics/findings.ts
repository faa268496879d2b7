/** Which findings hold for a source, and how an editor shows them. */

import type { Text } from '@codemirror/state';

import type { Output, Outputs } from '../cellModel.js';
import { magicLineOf } from '../languages/magicLine.js';
import { sourceDigest } from './digest.js';
import { rangeOf } from './positions.js';
import { type Findings, readFindings, type Severity } from './protocol.js';
import type { Mark } from './shown.js';

const SHOWN: Record<Severity, Mark['severity']> = { error: 'error', warning: 'warning', note: 'info' };

/** Every bundle of findings among a cell's outputs. */
export function findingsIn(outputs: Pick<Outputs, 'length'> & { get(index: number): Output }): Findings[] {
  const found: Findings[] = [];
  for (let index = 0; index < outputs.length; index++) {
    const findings = readFindings(outputs.get(index).data);
    if (findings !== null) {
      found.push(findings);
    }
  }
  return found;
}

/** The marks for a source: those of the findings that are about exactly its body. */
export function marksFor(source: Text, all: readonly Findings[]): Mark[] {
  const line = all.length === 0 ? null : magicLineOf(source);
  if (line === null) {
    return [];
  }
  const digest = sourceDigest(source.sliceString(line.to + 1));
  return all
    .filter(findings => findings.source === digest)
    .flatMap(findings => findings.diagnostics)
    .map(finding => ({
      ...rangeOf(finding, source),
      severity: SHOWN[finding.severity],
      message: finding.message,
      ...(finding.code === '' ? {} : { code: finding.code })
    }))
    .sort((one, other) => one.from - other.from || one.to - other.to);
}
