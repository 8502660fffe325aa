//! Holds objects against docs/schema.json, and more strictly than that asks: a field that it does not
//! describe is a fault of the document.

use std::path::Path;

use serde_json::{Map, Value};

/// The document.
pub(crate) struct Schema(Value);

impl Schema {
    pub(crate) fn read() -> Schema {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/schema.json");
        Schema(serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap())
    }

    /// The commands that it knows.
    pub(crate) fn commands(&self) -> &Map<String, Value> {
        self.0["x-commands"].as_object().unwrap()
    }

    /// What is wrong with a line that a command has printed.
    pub(crate) fn judge(&self, command: &str, line: &str) -> Result<(), String> {
        let mut object: Value = serde_json::from_str(line).map_err(|error| error.to_string())?;
        let version = object.as_object_mut().and_then(|fields| fields.remove("schema"));
        if version.as_ref() != Some(&self.0["properties"]["schema"]["const"]) {
            return Err(format!("the schema is {version:?}"));
        }
        self.one_of(&self.commands()[command], &object, "")
    }

    fn one_of(&self, schemas: &Value, value: &Value, at: &str) -> Result<(), String> {
        let mut wrong = Vec::new();
        for schema in schemas.as_array().unwrap() {
            match self.holds(schema, value, at) {
                Ok(()) => return Ok(()),
                Err(why) => wrong.push(why),
            }
        }
        Err(wrong.join("; or "))
    }

    fn holds(&self, schema: &Value, value: &Value, at: &str) -> Result<(), String> {
        let Value::Object(schema) = schema else { return Err(format!("{at}: {schema}")) };
        for (keyword, says) in schema {
            let holds = match keyword.as_str() {
                "description" | "format" | "title" | "default" => true,
                "$ref" => {
                    let name = says.as_str().unwrap().strip_prefix("#/$defs/").unwrap();
                    self.holds(&self.0["$defs"][name], value, at)?;
                    true
                }
                "anyOf" | "oneOf" => {
                    self.one_of(says, value, at)?;
                    true
                }
                "type" => match says {
                    Value::Array(types) => types.iter().any(|one| is(value, one)),
                    one => is(value, one),
                },
                "const" => value == says,
                "enum" => says.as_array().unwrap().contains(value),
                "minimum" => value.as_f64().is_none_or(|number| number >= says.as_f64().unwrap()),
                "maximum" => value.as_f64().is_none_or(|number| number <= says.as_f64().unwrap()),
                "minItems" | "maxItems" => value.as_array().is_none_or(|items| {
                    let count = u64::try_from(items.len()).unwrap();
                    let said = says.as_u64().unwrap();
                    if keyword == "minItems" { count >= said } else { count <= said }
                }),
                "items" => {
                    for (number, item) in value.as_array().into_iter().flatten().enumerate() {
                        self.holds(says, item, &format!("{at}[{number}]"))?;
                    }
                    true
                }
                "required" => value.as_object().is_none_or(|fields| {
                    let names = says.as_array().unwrap().iter();
                    names.filter_map(Value::as_str).all(|name| fields.contains_key(name))
                }),
                "properties" | "additionalProperties" => {
                    self.fields(schema, value, at)?;
                    true
                }
                other => return Err(format!("{at}: this test does not know {other:?}")),
            };
            if !holds {
                return Err(format!("{at}: {keyword} {says} does not hold of {value}"));
            }
        }
        Ok(())
    }

    /// Every field is described, by its name or as one of any name.
    fn fields(&self, schema: &Map<String, Value>, value: &Value, at: &str) -> Result<(), String> {
        let known = schema.get("properties").and_then(Value::as_object);
        for (name, value) in value.as_object().into_iter().flatten() {
            let at = format!("{at}.{name}");
            let says = known.and_then(|known| known.get(name));
            let says = says.or_else(|| schema.get("additionalProperties"));
            self.holds(says.ok_or_else(|| format!("{at} is not described"))?, value, &at)?;
        }
        Ok(())
    }
}

/// Whether a value is of a type of JSON Schema.
fn is(value: &Value, name: &Value) -> bool {
    match name.as_str().unwrap() {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => false,
    }
}
