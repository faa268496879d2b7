//! A/B routing by cookie: the configuration is how many percent of new visitors get variant b.
//!
//! Let a route match the header x-variant.
use proxy_wasm::traits::*;
use proxy_wasm::types::*;
use std::time::UNIX_EPOCH;

proxy_wasm::main! {{
    proxy_wasm::set_root_context(|_| Box::new(Plugin { percent: 0 }));
}}

struct Plugin {
    percent: u32,
}

impl Context for Plugin {}

impl RootContext for Plugin {
    fn on_configure(&mut self, _: usize) -> bool {
        let text = String::from_utf8(self.get_plugin_configuration().unwrap_or_default()).unwrap_or_default();
        text.trim().parse().map(|percent| self.percent = percent).is_ok()
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }

    fn create_http_context(&self, _: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(Stream { percent: self.percent, fresh: None }))
    }
}

struct Stream {
    percent: u32,
    fresh: Option<&'static str>, // the variant of a new visitor
}

impl Context for Stream {}

impl HttpContext for Stream {
    fn on_http_request_headers(&mut self, _: usize, _: bool) -> Action {
        let cookies = self.get_http_request_header("cookie").unwrap_or_default();
        let mut known = cookies.split(';').map(str::trim).filter_map(|each| each.strip_prefix("ab="));
        let known = known.find(|each| *each == "a" || *each == "b");
        if known.is_none() {
            let micros = self.get_current_time().duration_since(UNIX_EPOCH).map_or(0, |since| since.subsec_micros());
            self.fresh = Some(if micros % 100 < self.percent { "b" } else { "a" });
        }
        self.set_http_request_header("x-variant", known.or(self.fresh));
        Action::Continue
    }

    fn on_http_response_headers(&mut self, _: usize, _: bool) -> Action {
        if let Some(variant) = self.fresh {
            self.add_http_response_header("set-cookie", &format!("ab={}; Path=/; Max-Age=2592000", variant));
        }
        Action::Continue
    }
}
