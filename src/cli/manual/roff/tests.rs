use super::*;

#[test]
fn what_documents_use_becomes_requests() {
    let markdown = "# Title\n\nSee [the list](a.md), `[x]` and a-b.\n\n## `[gateway]`: one\n\n\
                    | key | meaning | default |\n|---|---|---|\n| `name` | its `name` | none |\n| `x` | y | |\n\n\
                    ```sh\n.hidden \\\n```\n* point\n";
    let page = page("a.toml", 5, "words", markdown);
    let body = page.split_once(".SH DESCRIPTION\n").unwrap().1;
    assert_eq!(
        body,
        ".PP\nSee the list, \\fB[x]\\fR and a\\-b.\n.PP\n.SH \"[gateway]: one\"\n.PP\n\
         .TP\n.B name\nits \\fBname\\fR\n.br\ndefault: none\n.TP\n.B x\ny\n.PP\n.PP\n\
         .PP\n.in +4n\n.nf\n\\&.hidden \\e\n.fi\n.in\n.IP \\(bu 2\npoint\n"
    );
    assert!(page.starts_with(".TH A.TOML 5 \"\" vpngw vpngw\n.SH NAME\na.toml \\- words\n"));
}
