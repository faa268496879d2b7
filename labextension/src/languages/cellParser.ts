/** A parser of filter cells: the magic line, and the body by the parser of its language. */

import {
  defineLanguageFacet,
  indentNodeProp,
  Language,
  languageDataProp,
  type TreeIndentContext
} from '@codemirror/language';
import {
  type Input,
  NodeSet,
  NodeType,
  parseMixed,
  type ParseWrapper,
  type PartialParse,
  Parser,
  Tree,
  type TreeFragment
} from '@lezer/common';
import { styleTags, tags } from '@lezer/highlight';

import { readMagicLine, type WordKind } from './magicLine.js';

const TOP = 0;
const BODY = 1;
const WORDS: Record<WordKind, number> = { magic: 2, name: 3, option: 4, value: 5 };

/** A language whose documents are filter cells with bodies of another language; plain text for null. */
export function cellLanguage(name: string, body: Parser | null): Language {
  const data = defineLanguageFacet();
  const nodes = new NodeSet([
    NodeType.define({ id: TOP, name: 'FilterCell', top: true, props: [[languageDataProp, data]] }),
    NodeType.define({ id: BODY, name: 'Body' }),
    NodeType.define({ id: WORDS.magic, name: 'Magic' }),
    NodeType.define({ id: WORDS.name, name: 'Name' }),
    NodeType.define({ id: WORDS.option, name: 'Option' }),
    NodeType.define({ id: WORDS.value, name: 'Value' })
  ]).extend(
    styleTags({
      Magic: tags.meta,
      Name: tags.definition(tags.variableName),
      Option: tags.attributeName,
      Value: tags.string
    }),
    indentNodeProp.add({ FilterCell: indentAtEnd })
  );
  const wrap = parseMixed(node => (body !== null && node.type.id === BODY ? { parser: body } : null));
  return new Language(data, new CellParser(nodes, wrap), [], name);
}

/** At the very end of the cell, which is no longer inside of the body, the body's language is asked all the same. */
function indentAtEnd(context: TreeIndentContext): number | null {
  const body = context.node.lastChild;
  const indent = body === null || context.pos <= body.from ? undefined : body.type.prop(indentNodeProp);
  return indent ? indent(Object.create(context, { node: { value: body } }) as TreeIndentContext) : 0;
}

class CellParser extends Parser {
  constructor(
    readonly nodes: NodeSet,
    readonly wrap: ParseWrapper
  ) {
    super();
  }

  createParse(
    input: Input,
    fragments: readonly TreeFragment[],
    ranges: readonly { from: number; to: number }[]
  ): PartialParse {
    return this.wrap(new CellParse(this.nodes, input, ranges), input, fragments, ranges);
  }
}

/** The outer parse is done in one step: it reads the first line only. */
class CellParse implements PartialParse {
  stoppedAt: number | null = null;
  parsedPos: number;
  private readonly from: number;
  private readonly end: number;

  constructor(
    private readonly nodes: NodeSet,
    private readonly input: Input,
    ranges: readonly { from: number; to: number }[]
  ) {
    this.from = this.parsedPos = ranges[0]?.from ?? 0;
    this.end = ranges[ranges.length - 1]?.to ?? input.length;
  }

  stopAt(position: number): void {
    this.stoppedAt = position;
  }

  advance(): Tree {
    const end = Math.min(this.end, this.stoppedAt ?? this.end);
    const line = readMagicLine(headOf(this.input, this.from, end));
    const children: Tree[] = [];
    const positions: number[] = [];
    const add = (type: number, from: number, to: number): void => {
      children.push(new Tree(this.nodes.types[type] as NodeType, [], [], to - from));
      positions.push(from);
    };
    for (const word of line?.words ?? []) {
      add(WORDS[word.kind], word.from, word.to);
    }
    const body = line === null ? 0 : line.to + 1;
    if (this.from + body < end) {
      add(BODY, body, end - this.from);
    }
    this.parsedPos = end;
    return new Tree(this.nodes.types[TOP] as NodeType, children, positions, end - this.from);
  }
}

/** The text up to the end of the first line that is not empty. */
function headOf(input: Input, from: number, end: number): string {
  for (let size = 256; ; size *= 4) {
    const to = Math.min(from + size, end);
    const text = input.read(from, to);
    if (to === end || /\S.*\n/.test(text)) {
      return text;
    }
  }
}
