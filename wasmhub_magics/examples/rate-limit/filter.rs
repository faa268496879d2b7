//! Rate limit by shared data: "3 3600" lets 3 requests of a key in at once, and one more every 3600 seconds.
use proxy_wasm::traits::*;
use proxy_wasm::types::*;
use std::time::UNIX_EPOCH;

proxy_wasm::main! {{
    proxy_wasm::set_root_context(|_| Box::new(Plugin::default()));
}}

#[derive(Default)]
struct Plugin {
    limit: (u64, u64),
}

impl Context for Plugin {}

impl RootContext for Plugin {
    fn on_configure(&mut self, _: usize) -> bool {
        let text = String::from_utf8(self.get_plugin_configuration().unwrap_or_default()).unwrap_or_default();
        self.limit = two_numbers(&text).unwrap_or_default();
        self.limit.0 > 0 && self.limit.1 > 0
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }

    fn create_http_context(&self, _: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(Stream { limit: self.limit }))
    }
}

struct Stream {
    limit: (u64, u64),
}

impl Context for Stream {}

impl HttpContext for Stream {
    fn on_http_request_headers(&mut self, _: usize, _: bool) -> Action {
        let (burst, every) = self.limit;
        let key = format!("rate-limit/{}", self.get_http_request_header("x-api-key").unwrap_or_default());
        let now = self.get_current_time().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        loop {
            let (value, version) = self.get_shared_data(&key);
            let text = String::from_utf8(value.unwrap_or_default()).unwrap_or_default();
            let (left, since) = two_numbers(&text).unwrap_or((burst, now));
            let more = now.saturating_sub(since) / every;
            let (left, mut since) = (burst.min(left + more), since + more * every);
            if left == 0 {
                let wait = (since + every - now).to_string();
                self.send_http_response(429, vec![("retry-after", &wait)], Some(b"too many requests\n"));
                return Action::Pause;
            }
            if left == burst {
                since = now;
            }
            let after = format!("{} {}", left - 1, since);
            if self.set_shared_data(&key, Some(after.as_bytes()), version).is_ok() {
                return Action::Continue;
            }
        }
    }
}

fn two_numbers(text: &str) -> Option<(u64, u64)> {
    let (one, two) = text.split_once(' ')?;
    Some((one.parse().ok()?, two.parse().ok()?))
}
