//! What the screen shows, read in one go, and what the page complained of since it was loaded.

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::{Device, Tally};

/// What can be seen of the page that is on top.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Screen {
    /// Its address.
    pub(crate) path: String,
    /// Not the document that was to be loaded again.
    pub(crate) is_fresh: bool,
    /// The counting page is on top, and has read what was counted.
    pub(crate) is_counting: bool,
    /// Each row in the list of what is counted.
    pub(crate) rows: Vec<Row>,
    /// The code beside what was counted last.
    pub(crate) last_code: Option<String>,
    /// How many rows it calls not confirmed.
    pub(crate) pending: Option<String>,
    /// What it tells the person.
    pub(crate) notices: Vec<String>,
    /// It asks for the password again.
    pub(crate) asks_sign_in: bool,
    /// Errors nobody caught, policies that were broken, and what was written to the console as an error.
    pub(crate) complaints: Vec<String>,
}

/// A row of the list.
#[derive(Debug, Deserialize)]
pub(crate) struct Row {
    /// Its id.
    pub(crate) id: String,
    /// Its product.
    pub(crate) product: String,
    /// How many.
    pub(crate) quantity: f64,
    /// `saved`, `sending`, `confirmed` or `refused`.
    pub(crate) truth: String,
}

/// Complaints are kept where a reload does not lose them. The listeners are put up by whoever looks first.
const LOOK: &str = r#"
    const keep = (what) => {
      const kept = JSON.parse(sessionStorage.complaints ?? '[]');
      if (kept.length < 20) sessionStorage.complaints = JSON.stringify([...kept, what.slice(0, 600)]);
    };
    if (!window.isWatched) {
      window.isWatched = true;
      addEventListener('error', ({ message, filename, lineno }) => keep(`error: ${message} (${filename}:${lineno})`));
      addEventListener('unhandledrejection', ({ reason }) => keep(`nobody caught: ${reason?.name} ${reason?.message ?? reason} ${reason?.stack ?? ''}`));
      document.addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI }) => keep(`policy: ${violatedDirective} ${blockedURI}`));
      const said = console.error;
      console.error = (...words) => {
        keep(`console: ${words.map((word) => word?.stack ?? String(word)).join(' ')}`);
        said.apply(console, words);
      };
    }
    const pages = Array.from(document.querySelectorAll('ion-router-outlet > .ion-page')).filter((page) => !page.matches('.ion-page-hidden, .ion-page-invisible'));
    const counting = pages.findLast((page) => page.querySelector('[data-testid="scan-field"]'));
    const page = counting ?? pages.at(-1) ?? document.body;
    const all = (selector) => Array.from(page.querySelectorAll(selector));
    const texts = (selector) => all(selector).map((element) => element.textContent.trim());
    return {
      path: location.pathname,
      isFresh: !window.isToGo,
      isCounting: Boolean(counting?.querySelector('[data-testid^="item-"], [data-testid="counted-list"] .none')),
      rows: all('[data-testid^="item-"]').map(({ dataset }) => ({
        id: dataset.testid.slice(5), product: dataset.productId, quantity: Number(dataset.quantity), truth: dataset.truth,
      })),
      lastCode: texts('.last .code')[0] ?? null,
      pending: all('[data-testid="pending-total"]')[0]?.dataset.pending ?? null,
      notices: texts('[role="alert"], [role="status"], [data-testid^="doubt-"], [data-testid="last-error"]'),
      asksSignIn: Boolean(page.querySelector('[data-testid="reauth-banner"]')),
      complaints: JSON.parse(sessionStorage.complaints ?? '[]'),
    };"#;

impl Screen {
    /// Looks.
    pub(crate) async fn of(device: &Device) -> Result<Self> {
        let seen = device.browser().run(LOOK, vec![]).await?;
        serde_json::from_value(seen).context("the page cannot be read")
    }

    /// What it shows of each product.
    pub(crate) fn tally(&self) -> Tally {
        let mut tally = Tally::new();
        for Row { product, quantity, .. } in &self.rows {
            *tally.entry(product.clone()).or_default() += quantity;
        }
        tally
    }
}

/// Where two tallies differ, in words.
pub(crate) fn difference(one: (&str, &Tally), other: (&str, &Tally)) -> String {
    let products = one.1.keys().chain(other.1.keys().filter(|product| !one.1.contains_key(*product)));
    let word = |tally: &Tally, product: &str| tally.get(product).map_or("nothing".to_owned(), ToString::to_string);
    let differences: Vec<String> = products
        .filter(|product| one.1.get(*product) != other.1.get(*product))
        .map(|product| {
            format!("product {product}: {} {}, {} {}", one.0, word(one.1, product), other.0, word(other.1, product))
        })
        .collect();
    if differences.is_empty() { "no difference".to_owned() } else { differences.join("; ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_names_what_only_one_of_them_has() {
        let one = Tally::from([("1".to_owned(), 1.0), ("2".to_owned(), 2.0)]);
        let other = Tally::from([("2".to_owned(), 2.5), ("3".to_owned(), 0.0)]);
        assert_eq!(
            difference(("screen", &one), ("truth", &other)),
            "product 1: screen 1, truth nothing; product 2: screen 2, truth 2.5; product 3: screen nothing, truth 0"
        );
        assert_eq!(difference(("screen", &one), ("truth", &one)), "no difference");
    }
}
