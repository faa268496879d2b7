//! IP and path allow list: "/health 10.0.0.0/8 192.168.1.7".
//!
//! x-forwarded-for counts, so let nobody but your own load balancer reach this proxy, or leave it out.
use proxy_wasm::traits::*;
use proxy_wasm::types::*;
use std::net::Ipv4Addr;

#[derive(Clone, Default)]
struct Allowed {
    paths: Vec<String>,
    ranges: Vec<(u32, u32)>, // an address, and the bits that count
}

proxy_wasm::main! {{
    proxy_wasm::set_root_context(|_| Box::new(Plugin::default()));
}}

#[derive(Default)]
struct Plugin {
    allowed: Allowed,
}

impl Context for Plugin {}

impl RootContext for Plugin {
    fn on_configure(&mut self, _: usize) -> bool {
        let text = String::from_utf8(self.get_plugin_configuration().unwrap_or_default()).unwrap_or_default();
        for word in text.split_whitespace() {
            if word.starts_with('/') {
                self.allowed.paths.push(word.to_string());
                continue;
            }
            match range(word) {
                Some(range) => self.allowed.ranges.push(range),
                None => return false,
            }
        }
        true
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }

    fn create_http_context(&self, _: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(Stream { allowed: self.allowed.clone() }))
    }
}

struct Stream {
    allowed: Allowed,
}

impl Context for Stream {}

impl HttpContext for Stream {
    fn on_http_request_headers(&mut self, _: usize, _: bool) -> Action {
        let path = self.get_http_request_header(":path").unwrap_or_default();
        let page = path.split('?').next().unwrap_or_default();
        let address = self.client().parse::<Ipv4Addr>().ok().map(u32::from);
        let listed = |address: u32| self.allowed.ranges.iter().any(|range| (address ^ range.0) & range.1 == 0);
        if self.allowed.paths.iter().any(|each| each == page) || address.map_or(false, listed) {
            return Action::Continue;
        }
        self.send_http_response(403, vec![], Some(b"forbidden\n"));
        Action::Pause
    }
}

impl Stream {
    fn client(&self) -> String {
        if let Some(forwarded) = self.get_http_request_header("x-forwarded-for") {
            return forwarded.rsplit(',').next().unwrap_or_default().trim().to_string();
        }
        let peer = self.get_property(vec!["source", "address"]).unwrap_or_default();
        String::from_utf8_lossy(&peer).split(':').next().unwrap_or_default().to_string()
    }
}

fn range(word: &str) -> Option<(u32, u32)> {
    let (address, bits) = word.split_once('/').unwrap_or((word, "32"));
    let bits: u32 = bits.parse().ok().filter(|bits| *bits <= 32)?;
    let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
    Some((address.parse::<Ipv4Addr>().ok()?.into(), mask))
}
