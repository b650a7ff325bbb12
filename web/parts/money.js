// Amounts as people read them.

/**
 * "12.50 €" of {amount: 1250, currency: "EUR"}; amounts are in the currency's smallest unit.
 * @param {{amount: number, currency: string}} money @param {string} lang
 */
export function money({ amount, currency }, lang) {
  try {
    const format = new Intl.NumberFormat(lang, { style: "currency", currency });
    const digits = format.resolvedOptions().maximumFractionDigits ?? 2;
    const value = amount / 10 ** digits;
    if (!Number.isInteger(value)) return format.format(value);
    return new Intl.NumberFormat(lang, { style: "currency", currency, minimumFractionDigits: 0 }).format(value);
  } catch {
    return `${amount / 100} ${currency}`; // a currency that Intl does not know
  }
}
