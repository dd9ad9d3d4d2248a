// Values that several parts of the page show.

import { useEffect, useState } from "preact/hooks";

export class Store<T> {
  #value: T;
  #listeners = new Set<() => void>();

  constructor(value: T) {
    this.#value = value;
  }

  get value(): T {
    return this.#value;
  }

  set(value: T): void {
    this.#value = value;
    for (const listener of this.#listeners) listener();
  }

  /** Calls listener after each change, until the function that it returns is called. */
  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}

/** Returns the value of a store, and draws the component again when it changes. */
export function useStore<T>(store: Store<T>): T {
  const [, redraw] = useState<object>();
  const drawn = store.value;
  useEffect(() => {
    if (store.value !== drawn) redraw({}); // it changed before this effect ran
    return store.subscribe(() => redraw({}));
  }, [store]);
  return drawn;
}

/** Reads a setting that the browser keeps; a browser may refuse to keep any. */
export function recall(name: string, where: () => Storage = () => localStorage): string {
  try {
    return where().getItem("modelgateway." + name) ?? "";
  } catch {
    return "";
  }
}

/** Keeps a setting. */
export function keep(name: string, value: string, where: () => Storage = () => localStorage): void {
  try {
    where().setItem("modelgateway." + name, value);
  } catch {
    // It is kept until the page is closed.
  }
}
