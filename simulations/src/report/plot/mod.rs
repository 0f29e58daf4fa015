//! Plots as inline SVG: pure functions from data to text, coloured by the page's style sheet.

pub mod axis;
pub mod bars;
pub mod lines;
pub mod strip;

/// Colours that tell series apart; a series beyond them repeats the first with dashes.
pub const COLOURS: usize = 8;

/// Text that cannot become markup.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            _ => escaped.push(character),
        }
    }
    escaped
}

/// A plot with its title, what it shows and its legend around it.
pub fn figure(title: &str, caption: &str, legend: &str, plot: &str) -> String {
    format!(
        "<figure><figcaption><h3>{}</h3><p>{}</p></figcaption>{legend}{plot}</figure>\n",
        escape(title),
        escape(caption)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_cannot_become_markup() {
        assert_eq!(
            escape("<b title='\"a\" & b'>"),
            "&lt;b title=&#39;&quot;a&quot; &amp; b&#39;&gt;"
        );
    }
}
