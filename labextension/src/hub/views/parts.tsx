/** Small views that the parts of the panel share. */

import React from 'react';

import type { Failure } from '../../kernel/messages.js';

/** What an empty place teaches: a sentence, and what can be done. */
export function Empty({ title, text, children }: { title: string; text: string; children?: React.ReactNode }): JSX.Element {
  return (
    <div className="wh-empty">
      <h3>{title}</h3>
      <p>{text}</p>
      {children}
    </div>
  );
}

/** A button with words on it. One that is disabled keeps the focus, which would be lost for the keyboard. */
export function Button(props: {
  label: string;
  title?: string;
  strong?: boolean;
  disabled?: boolean;
  onClick: () => void;
}): JSX.Element {
  return (
    <button
      type="button"
      className={props.strong === true ? 'wh-button wh-strong' : 'wh-button'}
      title={props.title}
      aria-disabled={props.disabled}
      onClick={props.disabled === true ? undefined : props.onClick}
    >
      {props.label}
    </button>
  );
}

/** What went wrong, and what to do about it. */
export function Problem({ failure }: { failure: Failure }): JSX.Element {
  return (
    <div className="wh-problem" role="alert">
      <div>{failure.what}</div>
      {failure.where !== '' && <div className="wh-quiet">{failure.where}</div>}
      {failure.do !== '' && <div>{failure.do}</div>}
    </div>
  );
}

/** A number of bytes as people read it. */
export function size(count: number): string {
  return count < 1024 ? `${count} B` : count < 1024 ** 2 ? `${(count / 1024).toFixed(1)} KB` : `${(count / 1024 ** 2).toFixed(1)} MB`;
}
