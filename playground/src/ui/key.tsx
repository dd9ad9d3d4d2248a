// The dialog that asks for the API key.

import { useEffect, useRef, useState } from "preact/hooks";
import { apiKey, setAPIKey } from "../api.js";
import { t, useLanguage } from "../i18n.js";
import { Store, useStore } from "../store.js";

const open = new Store(false);

export const askForKey = (): void => open.set(true);

export function KeyDialog() {
  useLanguage();
  const shown = useStore(open);
  const dialog = useRef<HTMLDialogElement>(null);
  const [key, setKey] = useState(apiKey.value);
  useEffect(() => {
    if (shown) dialog.current?.showModal();
    else dialog.current?.close();
  }, [shown]);
  const save = (event: Event) => {
    event.preventDefault();
    setAPIKey(key.trim());
    open.set(false);
  };
  return (
    <dialog ref={dialog} aria-labelledby="key-title" onClose={() => open.set(false)}>
      <form onSubmit={save}>
        <h2 id="key-title">{t("key.title")}</h2>
        <p>{t("key.text")}</p>
        <label>
          {t("key.label")}
          <input type="password" autocomplete="off" spellcheck={false} value={key} onInput={(e) => setKey(e.currentTarget.value)} />
        </label>
        <div class="row end">
          <button type="button" onClick={() => open.set(false)}>
            {t("key.cancel")}
          </button>
          <button type="submit" class="primary">
            {t("key.save")}
          </button>
        </div>
      </form>
    </dialog>
  );
}
