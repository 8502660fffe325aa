//! IANA registries as types: numbers with names, where a number without a name is still a value.

/// Declares a newtype for a registry: constants with the registry's names, `Display` that shows
/// the name or the bare number, and conversions from and to the number.
macro_rules! registry {
    (
        $(#[$attribute:meta])*
        pub struct $registry:ident($number:ty) {
            $($(#[$doc:meta])* $name:ident = $value:literal,)*
        }
    ) => {
        $(#[$attribute])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $registry(pub $number);

        impl $registry {
            $(
                $(#[$doc])*
                #[doc = concat!("Value ", stringify!($value), " of the registry.")]
                #[allow(non_upper_case_globals, reason = "the registry's own spelling")]
                pub const $name: $registry = $registry($value);
            )*

            /// The registered name; `None` for a number that this registry does not know.
            pub const fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($value => Some(stringify!($name)),)*
                    _ => None,
                }
            }
        }

        impl From<$number> for $registry {
            fn from(number: $number) -> Self {
                $registry(number)
            }
        }

        impl From<$registry> for $number {
            fn from(value: $registry) -> $number {
                value.0
            }
        }

        impl std::fmt::Display for $registry {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                match self.name() {
                    Some(name) => f.write_str(name),
                    None => write!(f, "{}({})", stringify!($registry), self.0),
                }
            }
        }

        impl std::fmt::Debug for $registry {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::fmt::Display::fmt(self, f)
            }
        }
    };
}

pub(crate) use registry;

#[cfg(test)]
mod tests;
