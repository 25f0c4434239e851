"""How a study is read: files become arrays, arrays become features; text and graph beside them."""
