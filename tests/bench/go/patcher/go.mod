module patcher

go 1.24.0
