// Choices that several tabs have.

import { t } from "../i18n.js";

const levels = ["A1", "A2", "B1", "B2", "C1", "C2"];

export function Level({ value, onChange }: { value: string; onChange: (level: string) => void }) {
  return (
    <label class="field">
      {t("field.level")}
      <select value={value} onChange={(e) => onChange(e.currentTarget.value)}>
        {levels.map((level) => (
          <option>{level}</option>
        ))}
      </select>
    </label>
  );
}

export function SpokenLanguage({ value, onChange }: { value: string; onChange: (code: string) => void }) {
  return (
    <label class="field">
      {t("field.spoken")}
      <select value={value} onChange={(e) => onChange(e.currentTarget.value)}>
        <option value="en">{t("field.english")}</option>
        <option value="vi">{t("field.vietnamese")}</option>
        <option value="">{t("field.detect")}</option>
      </select>
    </label>
  );
}
