/** A parser of filter cells: the magic line, and the body by the parser of its language. */

import {
  defineLanguageFacet,
  indentNodeProp,
  Language,
  languageDataProp,
  type TreeIndentContext
} from '@codemirror/language';
import { type Input, NodeSet, NodeType, type PartialParse, Parser, Tree, type TreeFragment } from '@lezer/common';
import { styleTags, tags } from '@lezer/highlight';

import { type MagicLine, readMagicLine, type WordKind } from './magicLine.js';

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
  return new Language(data, new CellParser(nodes, body), [], name);
}

/** At the very end of the cell, which is no longer inside of the body, the body's language is asked all the same. */
function indentAtEnd(context: TreeIndentContext): number | null {
  const body = context.node.lastChild;
  const indent = body === null || context.pos <= body.from ? undefined : body.type.prop(indentNodeProp);
  return indent ? indent(Object.create(context, { node: { value: body } }) as TreeIndentContext) : 0;
}

interface Span {
  readonly from: number;
  readonly to: number;
}

class CellParser extends Parser {
  constructor(
    readonly nodes: NodeSet,
    readonly body: Parser | null
  ) {
    super();
  }

  createParse(input: Input, fragments: readonly TreeFragment[], ranges: readonly Span[]): PartialParse {
    return new CellParse(this.nodes, this.body, input, fragments, {
      from: ranges[0]?.from ?? 0,
      to: ranges[ranges.length - 1]?.to ?? input.length
    });
  }
}

/**
 * The first line is read at once, the body by its own parser, whose tree becomes a part of the cell's as it is.
 *
 * That parser finds in the cell's old tree what an edit has left alone: a key costs what it costs in a document of the
 * language alone. With trees that are mounted, as by `parseMixed`, it costs about three times that.
 */
class CellParse implements PartialParse {
  stoppedAt: number | null = null;
  private readonly line: MagicLine | null;
  private readonly start: number;
  private readonly body: PartialParse | null;

  constructor(
    private readonly nodes: NodeSet,
    body: Parser | null,
    input: Input,
    fragments: readonly TreeFragment[],
    private readonly span: Span
  ) {
    const { from, to } = span;
    this.line = readMagicLine(headOf(input, from, to));
    this.start = from + (this.line === null ? 0 : this.line.to + 1);
    this.body = body === null || this.start >= to ? null : body.startParse(input, fragments, [{ from: this.start, to }]);
  }

  get parsedPos(): number {
    return this.body?.parsedPos ?? this.span.to;
  }

  stopAt(position: number): void {
    this.stoppedAt = position;
    this.body?.stopAt(Math.max(position, this.start));
  }

  advance(): Tree | null {
    const body = this.body?.advance();
    if (body === null) {
      return null;
    }
    const { from } = this.span;
    const children: Tree[] = [];
    const positions: number[] = [];
    const add = (tree: Tree, at: number): void => {
      children.push(tree);
      positions.push(at);
    };
    const { line } = this;
    for (const word of line?.words ?? []) {
      add(this.leaf(WORDS[word.kind], word.to - word.from), word.from);
    }
    const end = body === undefined ? Math.min(this.span.to, this.stoppedAt ?? this.span.to) : this.start + body.length;
    if (this.start < end) {
      add(body ?? this.leaf(BODY, end - this.start), this.start - from);
    }
    return new Tree(this.nodes.types[TOP] as NodeType, children, positions, end - from);
  }

  private leaf(type: number, length: number): Tree {
    return new Tree(this.nodes.types[type] as NodeType, [], [], length);
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
