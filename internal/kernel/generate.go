package kernel

//go:generate go -C gen run . -part codes -out ../codes_amd64.s
//go:generate go -C gen run . -part slack -out ../slack_amd64.s
//go:generate go -C gen run . -part vectors -out ../vectors_amd64.s
//go:generate go -C gen run . -part fetch -out ../fetch_amd64.s
//go:generate go -C gen run . -part encode -out ../encode_amd64.s
